/* SPDX-License-Identifier: MIT */
/*
 * FILE_server.h: for each interface the table of handlers that its server fills in.
 */
#include "output.h"

#include <sstream>

namespace
{

class ServerWriter
{
      public:
	explicit ServerWriter(const SchemaFile &file) : file(file), schemas(file.schemas)
	{
	}

	std::string server_text() const
	{
		std::ostringstream out;

		out << "#include <capos/schema/" << file.name << ".h>\n";
		for (uint64_t id : file.interfaces) {
			Node::Reader node = schemas.at(id);
			std::string tag = snake(schemas.scoped_name(id));

			out << "\nstruct " << tag << "_ops {\n";
			for (auto method : node.getInterface().getMethods()) {
				std::string stem = tag + "_" + snake(method.getName().cStr());

				out << "\tint (*" << identifier(method.getName().cStr())
				    << ")(void *object, struct msg_call *call" << file.struct_arguments(method, stem) << ");\n";
			}
			out << "};\n"
			    << "int " << tag << "_dispatch(const struct " << tag
			    << "_ops *ops, void *object, struct msg_call *call);\n";
		}
		return out.str();
	}

	/* ---- Clients ---- */

      private:
	const SchemaFile &file;
	const Schemas &schemas;
};

} // namespace

std::string server_text(const SchemaFile &file)
{
	return ServerWriter(file).server_text();
}
