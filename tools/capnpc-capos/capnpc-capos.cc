/* SPDX-License-Identifier: MIT */
/*
 * A back end of the stock `capnp` compiler that writes C over libcapos's msg.h; what it writes for each kind of
 * declaration is described there, and what it cannot express it refuses with a message.
 *
 *   capnp compile -o/path/to/capnpc-capos:OUTDIR --src-prefix=schema schema/FILE.capnp...
 *
 * writes OUTDIR/include/capos/schema/FILE.h, FILE_server.h, FILE_client.h and OUTDIR/schema/FILE.c.
 */
#include <capnp/message.h>
#include <capnp/schema-loader.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using capnp::schema::CodeGeneratorRequest;
using capnp::schema::Field;
using capnp::schema::Method;
using capnp::schema::Node;
using capnp::schema::Type;
using capnp::schema::Value;

namespace
{

[[noreturn]] void refuse(const std::string &where, const std::string &why)
{
	std::fprintf(stderr, "capnpc-capos: %s: %s\n", where.c_str(), why.c_str());
	std::exit(1);
}

/* tcpSocket, TcpSocket -> tcp_socket; DMAPool -> dma_pool. */
std::string snake(const std::string &name)
{
	std::string out;

	for (size_t i = 0; i < name.size(); i++) {
		bool upper = std::isupper((unsigned char)name[i]);
		bool after_lower = i > 0 && !std::isupper((unsigned char)name[i - 1]) && name[i - 1] != '.';
		bool before_lower = i > 0 && i + 1 < name.size() && std::islower((unsigned char)name[i + 1]);

		if (name[i] == '.') {
			out += '_';
			continue;
		}
		if (upper && i > 0 && name[i - 1] != '.' && (after_lower || before_lower))
			out += '_';
		out += (char)std::tolower((unsigned char)name[i]);
	}
	return out;
}

std::string upper(const std::string &name)
{
	std::string out = snake(name);

	for (char &c : out)
		c = (char)std::toupper((unsigned char)c);
	return out;
}

std::string identifier(const std::string &name)
{
	static const std::set<std::string> keywords = {
		"auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum",
		"extern", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return",
		"short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void",
		"volatile", "while", "bool", "true", "false", "which"};
	std::string out = snake(name);

	return keywords.count(out) ? out + "_" : out;
}

std::string hex(uint64_t value)
{
	char text[32];

	std::snprintf(text, sizeof(text), "0x%016llxull", (unsigned long long)value);
	return text;
}

/* Everything known of all nodes, by id. */
class Schemas
{
      public:
	explicit Schemas(CodeGeneratorRequest::Reader request)
	{
		for (auto node : request.getNodes())
			nodes.emplace(node.getId(), node);
	}

	Node::Reader at(uint64_t id) const
	{
		auto found = nodes.find(id);

		if (found == nodes.end())
			refuse(hex(id), "the compiler did not describe this type");
		return found->second;
	}

	/* "TcpSocket", "CapabilityEntry.Kind" */
	std::string scoped_name(uint64_t id) const
	{
		std::string name = at(id).getDisplayName().cStr();
		size_t colon = name.rfind(':');

		return colon == std::string::npos ? name : name.substr(colon + 1);
	}

	/* The C tag of a struct or enum. Parameters and results are named after interface and method by whoever
	 * declares the method. */
	std::string tag(uint64_t id) const
	{
		auto found = method_structs.find(id);

		return found == method_structs.end() ? snake(scoped_name(id)) : found->second;
	}

	uint64_t file_of(uint64_t id) const
	{
		Node::Reader node = at(id);

		while (!node.isFile())
			node = at(node.getScopeId());
		return node.getId();
	}

	std::map<uint64_t, std::string> method_structs;

      private:
	std::map<uint64_t, Node::Reader> nodes;
};

std::string base_name(const std::string &path)
{
	size_t slash = path.rfind('/');
	std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
	size_t dot = name.rfind(".capnp");

	return dot == std::string::npos ? name : name.substr(0, dot);
}

struct Scalar {
	const char *c_type;
	uint32_t bits;
	uint8_t element_size;
	const char *list_suffix;
};

/* What a scalar type is in C; false for pointers and Void. */
bool scalar_of(Type::Reader type, Scalar *out)
{
	switch (type.which()) {
	case Type::BOOL:
		*out = {"bool", 1, 1, "bool"};
		return true;
	case Type::INT8:
		*out = {"int8_t", 8, 2, "u8"};
		return true;
	case Type::UINT8:
		*out = {"uint8_t", 8, 2, "u8"};
		return true;
	case Type::INT16:
		*out = {"int16_t", 16, 3, "u16"};
		return true;
	case Type::UINT16:
	case Type::ENUM:
		*out = {"uint16_t", 16, 3, "u16"};
		return true;
	case Type::INT32:
		*out = {"int32_t", 32, 4, "u32"};
		return true;
	case Type::UINT32:
		*out = {"uint32_t", 32, 4, "u32"};
		return true;
	case Type::INT64:
		*out = {"int64_t", 64, 5, "u64"};
		return true;
	case Type::UINT64:
		*out = {"uint64_t", 64, 5, "u64"};
		return true;
	default:
		return false;
	}
}

uint64_t value_bits(Value::Reader value)
{
	switch (value.which()) {
	case Value::BOOL:
		return value.getBool();
	case Value::INT8:
		return (uint8_t)value.getInt8();
	case Value::UINT8:
		return value.getUint8();
	case Value::INT16:
		return (uint16_t)value.getInt16();
	case Value::UINT16:
		return value.getUint16();
	case Value::INT32:
		return (uint32_t)value.getInt32();
	case Value::UINT32:
		return value.getUint32();
	case Value::INT64:
		return (uint64_t)value.getInt64();
	case Value::UINT64:
		return value.getUint64();
	case Value::ENUM:
		return value.getEnum();
	default:
		return 0;
	}
}

std::string tabs(int depth)
{
	return std::string((size_t)depth, '\t');
}

/* Writes the code of one schema file. */
class FileWriter
{
      public:
	FileWriter(Schemas &schemas, uint64_t file, std::string name)
		: schemas(schemas), file(file), name(std::move(name))
	{
	}

	void run(const std::string &out)
	{
		name_method_structs(schemas.at(file));
		collect(schemas.at(file));
		write(out + "/include/capos/schema/" + name + ".h", guarded("", header_text()));
		write(out + "/include/capos/schema/" + name + "_server.h", guarded("_SERVER", server_text()));
		write(out + "/include/capos/schema/" + name + "_client.h", guarded("_CLIENT", client_text()));
		write(out + "/schema/" + name + ".c", source_text());
	}

      private:
	Schemas &schemas;
	uint64_t file;
	std::string name;
	std::vector<uint64_t> enums, interfaces, constants, structs; /* structs: used ones first */
	std::set<uint64_t> done, open;
	std::set<std::string> imports;

	static void write(const std::string &path, const std::string &text)
	{
		std::ofstream out(path, std::ios::trunc);

		out << text;
		out.close();
		if (!out)
			refuse(path, "cannot be written");
	}

	std::string banner() const
	{
		return "/* SPDX-License-Identifier: MIT */\n/* Written by capnpc-capos from " + name +
		       ".capnp; change that instead. */\n";
	}

	std::string guarded(const std::string &suffix, const std::string &text) const
	{
		std::string guard = "CAPOS_SCHEMA_" + upper(name) + suffix + "_H";

		return banner() + "#ifndef " + guard + "\n#define " + guard + "\n\n" + text + "\n#endif\n";
	}

	void name_method_structs(Node::Reader node)
	{
		for (auto nested : node.getNestedNodes()) {
			Node::Reader child = schemas.at(nested.getId());

			name_method_structs(child);
			if (!child.isInterface())
				continue;
			for (auto method : child.getInterface().getMethods()) {
				std::string stem = snake(schemas.scoped_name(child.getId())) + "_" +
				                   snake(method.getName().cStr());

				name_one(method.getParamStructType(), stem + "_params");
				name_one(method.getResultStructType(), stem + "_results");
			}
		}
	}

	void name_one(uint64_t id, const std::string &tag)
	{
		if (schemas.at(id).getScopeId() != 0)
			refuse(tag, "a named struct as parameters or results is not supported");
		schemas.method_structs[id] = tag;
	}

	void collect(Node::Reader node)
	{
		for (auto nested : node.getNestedNodes()) {
			Node::Reader child = schemas.at(nested.getId());

			if (child.isEnum())
				enums.push_back(child.getId());
			else if (child.isConst())
				constants.push_back(child.getId());
			else if (child.isStruct())
				require(child.getId());
			else if (child.isInterface())
				collect_interface(child);
			collect(child);
		}
	}

	void collect_interface(Node::Reader node)
	{
		interfaces.push_back(node.getId());
		for (auto method : node.getInterface().getMethods()) {
			require(method.getParamStructType());
			require(method.getResultStructType());
		}
	}

	/* Orders structs so that each stands behind those it holds. */
	void require(uint64_t id)
	{
		bool ours = schemas.method_structs.count(id) || schemas.file_of(id) == file;

		if (!ours) {
			imports.insert(base_name(schemas.at(schemas.file_of(id)).getDisplayName().cStr()));
			return;
		}
		if (done.count(id))
			return;
		if (!open.insert(id).second)
			refuse(schemas.scoped_name(id), "recursive types are not supported");
		require_fields(schemas.at(id));
		done.insert(id);
		structs.push_back(id);
	}

	void require_fields(Node::Reader node)
	{
		for (auto field : node.getStruct().getFields()) {
			if (field.isGroup()) {
				require_fields(schemas.at(field.getGroup().getTypeId()));
				continue;
			}
			Type::Reader type = field.getSlot().getType();

			if (type.isList())
				type = type.getList().getElementType();
			if (type.isStruct())
				require(type.getStruct().getTypeId());
		}
	}

	/* ---- Types ---- */

	std::string field_type(const std::string &where, Type::Reader type) const
	{
		Scalar scalar;

		if (scalar_of(type, &scalar))
			return scalar.c_type;
		switch (type.which()) {
		case Type::TEXT:
			return "struct msg_text";
		case Type::DATA:
			return "struct msg_data";
		case Type::LIST:
			check_list(where, type.getList().getElementType());
			return "struct msg_list";
		case Type::STRUCT:
			return "struct " + schemas.tag(type.getStruct().getTypeId());
		default:
			refuse(where, "this type is not supported");
		}
	}

	static void check_list(const std::string &where, Type::Reader element)
	{
		Scalar scalar;

		if (!scalar_of(element, &scalar) && !element.isText() && !element.isData() && !element.isStruct())
			refuse(where, "lists of this type are not supported");
	}

	void declare_fields(std::ostream &out, Node::Reader node, int depth) const
	{
		auto s = node.getStruct();

		if (s.getDiscriminantCount() > 0)
			out << tabs(depth) << "uint16_t which;\n";
		for (auto field : s.getFields()) {
			std::string where = schemas.scoped_name(node.getId()) + "." + field.getName().cStr();

			if (field.isGroup()) {
				out << tabs(depth) << "struct {\n";
				declare_fields(out, schemas.at(field.getGroup().getTypeId()), depth + 1);
				out << tabs(depth) << "} " << identifier(field.getName().cStr()) << ";\n";
			} else if (!field.getSlot().getType().isVoid()) {
				out << tabs(depth) << field_type(where, field.getSlot().getType()) << " "
				    << identifier(field.getName().cStr()) << ";\n";
			}
		}
	}


	void declare_unions(std::ostream &out, Node::Reader node, const std::string &tag) const
	{
		auto s = node.getStruct();

		if (s.getDiscriminantCount() > 0) {
			out << "enum " << tag << "_which {\n";
			for (auto field : s.getFields()) {
				if (field.getDiscriminantValue() != Field::NO_DISCRIMINANT)
					out << "\t" << upper(tag) << "_" << upper(field.getName().cStr()) << " = "
					    << field.getDiscriminantValue() << ",\n";
			}
			out << "};\n";
		}
		for (auto field : s.getFields()) {
			if (field.isGroup())
				declare_unions(out, schemas.at(field.getGroup().getTypeId()),
				               tag + "_" + snake(field.getName().cStr()));
		}
	}

	std::string header_text() const
	{
		std::ostringstream out;

		out << "#include <capos/msg.h>\n";
		for (const std::string &import : imports)
			out << "#include <capos/schema/" << import << ".h>\n";
		for (uint64_t id : constants)
			declare_constant(out, schemas.at(id));
		for (uint64_t id : enums)
			declare_enum(out, schemas.at(id));
		for (uint64_t id : structs)
			declare_struct(out, schemas.at(id));
		for (uint64_t id : interfaces)
			declare_interface(out, schemas.at(id));
		out << "\n/* The name of an interface of this file by its type id, or NULL. */\n"
		    << "const char *" << snake(name) << "_interface_name(uint64_t type_id);\n";
		return out.str();
	}

	void declare_constant(std::ostream &out, Node::Reader node) const
	{
		Scalar scalar;
		std::string c_name = upper(schemas.scoped_name(node.getId()));

		if (!scalar_of(node.getConst().getType(), &scalar))
			refuse(c_name, "only scalar constants are supported");
		out << "#define " << c_name << " ((" << scalar.c_type << ")"
		    << value_bits(node.getConst().getValue()) << "ull)\n";
	}

	void declare_enum(std::ostream &out, Node::Reader node) const
	{
		std::string tag = schemas.tag(node.getId());
		int value = 0;

		out << "\nenum " << tag << " {\n";
		for (auto enumerant : node.getEnum().getEnumerants())
			out << "\t" << upper(tag) << "_" << upper(enumerant.getName().cStr()) << " = " << value++
			    << ",\n";
		out << "};\n";
	}

	void declare_struct(std::ostream &out, Node::Reader node) const
	{
		std::string tag = schemas.tag(node.getId());

		out << "\n";
		declare_unions(out, node, tag);
		out << "struct " << tag << " {\n";
		declare_fields(out, node, 1);
		out << "};\n"
		    << "int " << tag << "_read(struct msg_reader *reader, struct " << tag << " *out);\n"
		    << "int " << tag << "_write(struct msg_builder *builder, const struct " << tag << " *in);\n"
		    << "int " << tag << "_get(const struct msg_list *list, uint32_t index, struct " << tag
		    << " *out);\n"
		    << "int " << tag << "_read_from(const struct msg_struct *s, struct " << tag << " *out);\n"
		    << "int " << tag << "_write_to(const struct msg_slot *s, const struct " << tag << " *in);\n";
	}

	void declare_interface(std::ostream &out, Node::Reader node) const
	{
		std::string tag = snake(schemas.scoped_name(node.getId()));

		if (node.getInterface().getSuperclasses().size() > 0)
			refuse(tag, "an interface that extends another is not supported");
		out << "\n#define " << upper(tag) << "_INTERFACE " << hex(node.getId()) << "\n"
		    << "enum " << tag << "_method {\n";

		int ordinal = 0;

		for (auto method : node.getInterface().getMethods())
			out << "\t" << upper(tag) << "_" << upper(method.getName().cStr()) << " = " << ordinal++
			    << ",\n";
		out << "\t" << upper(tag) << "_METHOD_COUNT = " << ordinal << ",\n};\n"
		    << "const char *" << tag << "_method_name(uint16_t method);\n";
	}

	/* ---- Servers ---- */

	std::string server_text() const
	{
		std::ostringstream out;

		out << "#include <capos/schema/" << name << ".h>\n";
		for (uint64_t id : interfaces) {
			Node::Reader node = schemas.at(id);
			std::string tag = snake(schemas.scoped_name(id));

			out << "\nstruct " << tag << "_ops {\n";
			for (auto method : node.getInterface().getMethods()) {
				std::string stem = tag + "_" + snake(method.getName().cStr());

				out << "\tint (*" << identifier(method.getName().cStr())
				    << ")(void *object, struct msg_call *call" << struct_arguments(method, stem) << ");\n";
			}
			out << "};\n"
			    << "int " << tag << "_dispatch(const struct " << tag
			    << "_ops *ops, void *object, struct msg_call *call);\n";
		}
		return out.str();
	}

	/* ---- Clients ---- */

	/* A struct without fields is no argument of a stub or handler: there is nothing to pass. */
	bool is_empty(uint64_t id) const
	{
		return schemas.at(id).getStruct().getFields().size() == 0;
	}

	std::string struct_arguments(Method::Reader method, const std::string &stem) const
	{
		std::string text;

		if (!is_empty(method.getParamStructType()))
			text += ", const struct " + stem + "_params *in";
		if (!is_empty(method.getResultStructType()))
			text += std::string(text.empty() ? ", " : ",\n\t\t") + "struct " + stem + "_results *out";
		return text;
	}

	bool holds_pointers(Node::Reader node) const
	{
		return node.getStruct().getPointerCount() > 0;
	}

	std::string client_text() const
	{
		std::ostringstream out;

		out << "#include <capos/cap.h>\n#include <capos/schema/" << name << ".h>\n";
		for (uint64_t id : interfaces) {
			Node::Reader node = schemas.at(id);
			std::string tag = snake(schemas.scoped_name(id));

			for (auto method : node.getInterface().getMethods())
				client_stub(out, tag, method);
		}
		return out.str();
	}

	void client_stub(std::ostream &out, const std::string &tag, Method::Reader method) const
	{
		std::string name = snake(method.getName().cStr());
		std::string stem = tag + "_" + name;
		bool sends = !is_empty(method.getParamStructType());
		bool answers = !is_empty(method.getResultStructType());

		out << "\nstatic inline int " << stem << "(cap_t cap" << struct_arguments(method, stem)
		    << ", struct capos_call *call)\n{\n";
		if (answers && holds_pointers(schemas.at(method.getResultStructType())))
			out << "\tif (!call && out)\n\t\treturn CAP_EINVAL;\n";
		out << "\n\tuint64_t scratch[CAP_STUB_BUFFER / 8];\n"
		    << "\tstruct capos_call own = {.buffer = scratch, .size = sizeof(scratch)};\n"
		    << "\tstruct capos_call *c = call ? call : &own;\n"
		    << "\tstruct msg_builder builder;\n"
		    << "\tuint32_t length = 0;\n\n"
		    << "\tc->ncaps = 0;\n"
		    << "\tmsg_builder_init(&builder, c->buffer, c->size);\n\n"
		    << "\tint result = " << stem << "_params_write(&builder, "
		    << (sends ? "in" : "&(const struct " + stem + "_params){}") << ");\n\n"
		    << "\tif (!result)\n"
		    << "\t\tresult = cap_call(cap, " << upper(tag) << "_INTERFACE, " << upper(tag) << "_"
		    << upper(method.getName().cStr()) << ",\n\t\t\tmsg_builder_length(&builder), c, &length);\n";
		if (answers)
			out << "\tif (!result && out) {\n"
			    << "\t\tmsg_reader_init(&c->reader, c->buffer, length);\n" /* lists in out refer to it */
			    << "\t\tresult = " << stem << "_results_read(&c->reader, out);\n"
			    << "\t}\n";
		out << "\tif (result || !call) {\n"
		    << "\t\tfor (uint32_t i = 0; i < c->ncaps; i++)\n"
		    << "\t\t\tcap_release(c->caps[i]);\n"
		    << "\t\tc->ncaps = 0;\n"
		    << "\t}\n"
		    << "\treturn result;\n}\n";
	}

	/* ---- Code ---- */

	std::string source_text() const
	{
		std::ostringstream out;

		out << banner() << "#include <capos/abi.h>\n#include <capos/schema/" << name
		    << "_server.h>\n#include <string.h>\n";
		for (uint64_t id : structs)
			define_struct(out, schemas.at(id));
		for (uint64_t id : interfaces)
			define_interface(out, schemas.at(id));
		out << "\nconst char *" << snake(name) << "_interface_name(uint64_t type_id)\n{\n\tswitch (type_id) {\n";
		for (uint64_t id : interfaces)
			out << "\tcase " << hex(id) << ":\n\t\treturn \"" << schemas.scoped_name(id) << "\";\n";
		out << "\tdefault:\n\t\treturn NULL;\n\t}\n}\n";
		return out.str();
	}

	void define_struct(std::ostream &out, Node::Reader node) const
	{
		std::string tag = schemas.tag(node.getId());
		std::string sizes = std::to_string(node.getStruct().getDataWordCount()) + ", " +
		                    std::to_string(node.getStruct().getPointerCount());
		std::ostringstream read, write;

		read_fields(read, node, tag, "out->", 1);
		write_fields(write, node, tag, "in->", 1);

		out << "\nint " << tag << "_read_from(const struct msg_struct *s, struct " << tag << " *out)\n{\n";
		if (uses(read, "result"))
			out << "\tint result;\n\n";
		out << "\t(void)s;\n\tmemset(out, 0, sizeof(*out));\n" << read.str() << "\treturn CAP_OK;\n}\n";

		out << "\nint " << tag << "_read(struct msg_reader *reader, struct " << tag << " *out)\n{\n"
		    << "\tstruct msg_struct s;\n\tint result = msg_read_root(reader, &s);\n\n"
		    << "\treturn result == CAP_OK ? " << tag << "_read_from(&s, out) : result;\n}\n";

		out << "\nint " << tag << "_get(const struct msg_list *list, uint32_t index, struct " << tag
		    << " *out)\n{\n"
		    << "\tstruct msg_struct s;\n\tint result = msg_list_struct(list, index, &s);\n\n"
		    << "\treturn result == CAP_OK ? " << tag << "_read_from(&s, out) : result;\n}\n";

		out << "\nint " << tag << "_write_to(const struct msg_slot *s, const struct " << tag << " *in)\n{\n";
		if (uses(write, "result"))
			out << "\tint result;\n\n";
		out << "\t(void)s;\n\t(void)in;\n" << write.str() << "\treturn CAP_OK;\n}\n";

		out << "\nint " << tag << "_write(struct msg_builder *builder, const struct " << tag << " *in)\n{\n"
		    << "\tstruct msg_slot s;\n\tint result = msg_write_root(builder, " << sizes << ", &s);\n\n"
		    << "\treturn result == CAP_OK ? " << tag << "_write_to(&s, in) : result;\n}\n";
	}

	static bool uses(const std::ostringstream &code, const std::string &word)
	{
		return code.str().find(word) != std::string::npos;
	}

	/* Calls visit(field, depth) for plain fields, and for union members inside `case`s. */
	template <typename Visit>
	void each_field(std::ostream &out, Node::Reader node, const std::string &tag, const std::string &path,
	                int depth, Visit visit) const
	{
		auto s = node.getStruct();

		for (auto field : s.getFields()) {
			if (field.getDiscriminantValue() == Field::NO_DISCRIMINANT)
				visit(out, field, depth);
		}
		if (s.getDiscriminantCount() == 0)
			return;
		out << tabs(depth) << "switch (" << path << "which) {\n";
		for (auto field : s.getFields()) {
			if (field.getDiscriminantValue() == Field::NO_DISCRIMINANT)
				continue;
			out << tabs(depth) << "case " << upper(tag) << "_" << upper(field.getName().cStr()) << ":\n";
			visit(out, field, depth + 1);
			out << tabs(depth + 1) << "break;\n";
		}
		out << tabs(depth) << "default:\n" << tabs(depth + 1) << "break;\n" << tabs(depth) << "}\n";
	}

	void read_fields(std::ostream &out, Node::Reader node, const std::string &tag, const std::string &path,
	                 int depth) const
	{
		auto s = node.getStruct();

		if (s.getDiscriminantCount() > 0)
			out << tabs(depth) << path << "which = (uint16_t)msg_get_bits(s, "
			    << s.getDiscriminantOffset() * 16 << ", 16);\n";
		each_field(out, node, tag, path, depth, [&](std::ostream &o, Field::Reader field, int d) {
			std::string target = path + identifier(field.getName().cStr());

			if (field.isGroup())
				read_fields(o, schemas.at(field.getGroup().getTypeId()),
				            tag + "_" + snake(field.getName().cStr()), target + ".", d);
			else
				read_slot(o, field.getSlot(), target, d);
		});
	}

	void read_slot(std::ostream &out, Field::Slot::Reader slot, const std::string &target, int depth) const
	{
		Type::Reader type = slot.getType();
		Scalar scalar;
		std::string at = std::to_string(slot.getOffset());
		std::string call;

		if (type.isVoid())
			return;
		if (scalar_of(type, &scalar)) {
			uint64_t initial = value_bits(slot.getDefaultValue());

			out << tabs(depth) << target << " = (" << scalar.c_type << ")";
			out << (initial ? "(" : "") << "msg_get_bits(s, " << slot.getOffset() * scalar.bits << ", "
			    << scalar.bits << ")" << (initial ? " ^ " + hex(initial) + ")" : "") << ";\n";
			return;
		}
		if (slot.getHadExplicitDefault())
			refuse(target, "a default for this type is not supported");
		if (type.isText())
			call = "msg_get_text(s, " + at + ", &" + target + ")";
		else if (type.isData())
			call = "msg_get_data(s, " + at + ", &" + target + ")";
		else if (type.isList())
			call = "msg_get_list(s, " + at + ", " + list_code(type) + ", &" + target + ")";
		if (!call.empty()) {
			out << tabs(depth) << "result = " << call << ";\n";
		} else {
			out << tabs(depth) << "{\n" << tabs(depth + 1) << "struct msg_struct inner;\n\n"
			    << tabs(depth + 1) << "result = msg_get_struct(s, " << at << ", &inner);\n"
			    << tabs(depth + 1) << "if (result == CAP_OK)\n" << tabs(depth + 2) << "result = "
			    << schemas.tag(type.getStruct().getTypeId()) << "_read_from(&inner, &" << target << ");\n"
			    << tabs(depth) << "}\n";
		}
		fail_out(out, depth);
	}

	static void fail_out(std::ostream &out, int depth)
	{
		out << tabs(depth) << "if (result != CAP_OK)\n" << tabs(depth + 1) << "return result;\n";
	}

	static std::string list_code(Type::Reader type)
	{
		Type::Reader element = type.getList().getElementType();
		Scalar scalar;

		if (scalar_of(element, &scalar))
			return std::to_string(scalar.element_size);
		return element.isStruct() ? "7" : "6";
	}

	void write_fields(std::ostream &out, Node::Reader node, const std::string &tag, const std::string &path,
	                  int depth) const
	{
		auto s = node.getStruct();

		if (s.getDiscriminantCount() > 0)
			out << tabs(depth) << "msg_set_bits(s, " << s.getDiscriminantOffset() * 16 << ", 16, " << path
			    << "which);\n";
		each_field(out, node, tag, path, depth, [&](std::ostream &o, Field::Reader field, int d) {
			std::string source = path + identifier(field.getName().cStr());

			if (field.isGroup())
				write_fields(o, schemas.at(field.getGroup().getTypeId()),
				             tag + "_" + snake(field.getName().cStr()), source + ".", d);
			else
				write_slot(o, field.getSlot(), source, d);
		});
	}

	void write_slot(std::ostream &out, Field::Slot::Reader slot, const std::string &source, int depth) const
	{
		Type::Reader type = slot.getType();
		Scalar scalar;
		std::string at = std::to_string(slot.getOffset());

		if (type.isVoid())
			return;
		if (scalar_of(type, &scalar)) {
			uint64_t initial = value_bits(slot.getDefaultValue());

			out << tabs(depth) << "msg_set_bits(s, " << slot.getOffset() * scalar.bits << ", "
			    << scalar.bits << ", (uint64_t)" << source << (initial ? " ^ " + hex(initial) : "")
			    << ");\n";
			return;
		}
		if (type.isText())
			out << tabs(depth) << "result = msg_set_text(s, " << at << ", " << source << ");\n";
		else if (type.isData())
			out << tabs(depth) << "result = msg_set_data(s, " << at << ", " << source << ");\n";
		else if (type.isList())
			write_list(out, type.getList().getElementType(), at, source, depth);
		else
			write_struct(out, schemas.at(type.getStruct().getTypeId()), at, source, depth);
		fail_out(out, depth);
	}

	void write_struct(std::ostream &out, Node::Reader inner, const std::string &at, const std::string &source,
	                  int depth) const
	{
		out << tabs(depth) << "{\n" << tabs(depth + 1) << "struct msg_slot inner;\n\n"
		    << tabs(depth + 1) << "result = msg_set_struct(s, " << at << ", "
		    << inner.getStruct().getDataWordCount() << ", " << inner.getStruct().getPointerCount()
		    << ", &inner);\n"
		    << tabs(depth + 1) << "if (result == CAP_OK)\n" << tabs(depth + 2) << "result = "
		    << schemas.tag(inner.getId()) << "_write_to(&inner, &" << source << ");\n"
		    << tabs(depth) << "}\n";
	}

	void write_list(std::ostream &out, Type::Reader element, const std::string &at, const std::string &source,
	                int depth) const
	{
		Scalar scalar;

		if (scalar_of(element, &scalar)) {
			out << tabs(depth) << "result = msg_set_scalar_list(s, " << at << ", "
			    << (int)scalar.element_size << ", &" << source << ");\n";
			return;
		}
		if (!element.isStruct()) {
			out << tabs(depth) << "result = msg_set_" << (element.isText() ? "text" : "data")
			    << "_list(s, " << at << ", &" << source << ");\n";
			return;
		}

		Node::Reader inner = schemas.at(element.getStruct().getTypeId());
		std::string sizes = std::to_string(inner.getStruct().getDataWordCount()) + ", " +
		                    std::to_string(inner.getStruct().getPointerCount());
		std::string tag = schemas.tag(inner.getId());

		out << tabs(depth) << "{\n" << tabs(depth + 1) << "const struct " << tag << " *items = " << source
		    << ".items;\n"
		    << tabs(depth + 1) << "struct msg_slot first;\n\n"
		    << tabs(depth + 1) << "result = msg_set_struct_list(s, " << at << ", " << source << ".count, "
		    << sizes << ", &first);\n"
		    << tabs(depth + 1) << "for (uint32_t i = 0; i < " << source << ".count && result == CAP_OK; i++) {\n"
		    << tabs(depth + 2) << "struct msg_slot slot = msg_struct_list_at(&first, " << sizes << ", i);\n\n"
		    << tabs(depth + 2) << "result = " << tag << "_write_to(&slot, &items[i]);\n"
		    << tabs(depth + 1) << "}\n" << tabs(depth) << "}\n";
	}

	void define_interface(std::ostream &out, Node::Reader node) const
	{
		std::string tag = snake(schemas.scoped_name(node.getId()));
		std::ostringstream cases, names;

		for (auto method : node.getInterface().getMethods()) {
			std::string stem = tag + "_" + snake(method.getName().cStr());
			std::string constant = upper(tag) + "_" + upper(method.getName().cStr());

			define_serve(out, tag, stem, method);
			cases << "\tcase " << constant << ":\n\t\treturn " << stem << "_serve(ops, object, call);\n";
			names << "\tcase " << constant << ":\n\t\treturn \"" << method.getName().cStr() << "\";\n";
		}
		out << "\nint " << tag << "_dispatch(const struct " << tag
		    << "_ops *ops, void *object, struct msg_call *call)\n{\n\tswitch (call->method) {\n"
		    << cases.str() << "\tdefault:\n\t\treturn CAP_EMETHOD;\n\t}\n}\n"
		    << "\nconst char *" << tag << "_method_name(uint16_t method)\n{\n\tswitch (method) {\n"
		    << names.str() << "\tdefault:\n\t\treturn \"?\";\n\t}\n}\n";
	}

	void define_serve(std::ostream &out, const std::string &tag, const std::string &stem,
	                  Method::Reader method) const
	{
		std::string member = identifier(method.getName().cStr());
		bool takes = !is_empty(method.getParamStructType());
		bool answers = !is_empty(method.getResultStructType());

		out << "\nstatic int " << stem << "_serve(const struct " << tag
		    << "_ops *ops, void *object, struct msg_call *call)\n{\n"
		    << "\tstruct " << stem << "_params in;\n\tstruct " << stem << "_results out;\n"
		    << "\tstruct msg_reader reader;\n\tstruct msg_builder builder;\n\n"
		    << "\tif (!ops->" << member << ")\n\t\treturn CAP_EMETHOD;\n"
		    << "\tmsg_reader_init(&reader, call->in, call->in_len);\n\n"
		    << "\tint result = " << stem << "_params_read(&reader, &in);\n\n"
		    << "\tif (result)\n\t\treturn result;\n"
		    << "\tmemset(&out, 0, sizeof(out));\n"
		    << "\tresult = ops->" << member << "(object, call" << (takes ? ", &in" : "")
		    << (answers ? ", &out" : "") << ");\n"
		    << "\tif (result)\n\t\treturn result;\n"
		    << "\tmsg_builder_init(&builder, call->out, call->out_size);\n"
		    << "\tresult = " << stem << "_results_write(&builder, &out);\n"
		    << "\tcall->out_len = msg_builder_length(&builder);\n"
		    << "\treturn result;\n}\n";
	}
};

void make_directory(const std::string &path)
{
	if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST)
		refuse(path, "cannot be made");
}

} // namespace

int main()
{
	capnp::ReaderOptions options;

	options.traversalLimitInWords = 1ull << 28;

	capnp::StreamFdMessageReader message(STDIN_FILENO, options);
	auto request = message.getRoot<CodeGeneratorRequest>();
	Schemas schemas(request);

	for (const char *directory : {"include", "include/capos", "include/capos/schema", "schema"})
		make_directory(directory);
	for (auto file : request.getRequestedFiles())
		FileWriter(schemas, file.getId(), base_name(file.getFilename().cStr())).run(".");
	return 0;
}
