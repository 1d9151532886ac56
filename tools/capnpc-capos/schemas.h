/* SPDX-License-Identifier: MIT */
/*
 * What the back end knows of a schema: all nodes by id, the contents of one file in an order in
 * which C can declare them, and the C names of both.  What C cannot express is refused here,
 * with a message.
 */
#ifndef CAPNPC_CAPOS_SCHEMAS_H
#define CAPNPC_CAPOS_SCHEMAS_H

#include <capnp/schema.capnp.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

using capnp::schema::CodeGeneratorRequest;
using capnp::schema::Field;
using capnp::schema::Method;
using capnp::schema::Node;
using capnp::schema::Type;
using capnp::schema::Value;

/* Ends the compiler with a message. */
[[noreturn]] void refuse(const std::string &where, const std::string &why);

/* ---- Names ---- */

/* tcpSocket, TcpSocket -> tcp_socket; DMAPool -> dma_pool. */
std::string snake(const std::string &name);
/* tcpSocket -> TCP_SOCKET. */
std::string upper(const std::string &name);
/* snake, with a final '_' where C has a keyword. */
std::string identifier(const std::string &name);
/* A constant of type unsigned long long. */
std::string hex(uint64_t value);
/* dir/network.capnp -> network. */
std::string base_name(const std::string &path);
std::string tabs(int depth);

/* ---- Scalars ---- */

struct Scalar {
	const char *c_type;
	uint32_t bits;
	uint8_t element_size; /* the code of lists of it in Cap'n Proto's encoding */
};

/* What a scalar type is in C; false for pointers and Void. */
bool scalar_of(Type::Reader type, Scalar *out);
uint64_t value_bits(Value::Reader value);

/* ---- Nodes ---- */

/* Everything known of all nodes, by id. */
class Schemas
{
      public:
	explicit Schemas(CodeGeneratorRequest::Reader request);

	Node::Reader at(uint64_t id) const;
	/* "TcpSocket", "CapabilityEntry.Kind" */
	std::string scoped_name(uint64_t id) const;
	/* The C tag of a struct or enum.  Parameters and results are named after interface and
	 * method. */
	std::string tag(uint64_t id) const;
	uint64_t file_of(uint64_t id) const;

	std::map<uint64_t, std::string> method_structs; /* tags of parameters and results */

      private:
	std::map<uint64_t, Node::Reader> nodes;
};

/* One schema file: what it declares, structs behind those they hold. */
class SchemaFile
{
      public:
	SchemaFile(Schemas &schemas, uint64_t file, std::string name);

	/* The first lines of everything that is written from this file. */
	std::string banner() const;
	bool is_empty(uint64_t id) const;
	/* The arguments of a stub or handler that carry parameters and results, each led by ",
	 * ".  A struct without fields is no argument: there is nothing to pass. */
	std::string struct_arguments(Method::Reader method, const std::string &stem) const;

	const Schemas &schemas;
	const std::string name;
	std::vector<uint64_t> enums, interfaces, constants, structs;
	std::set<std::string> imports;

      private:
	void name_method_structs(Node::Reader node);
	void name_one(uint64_t id, const std::string &tag);
	void collect(Node::Reader node);
	void collect_interface(Node::Reader node);
	void require(uint64_t id);
	void require_fields(Node::Reader node);

	Schemas &naming;
	uint64_t file;
	std::set<uint64_t> done, open;
};

#endif
