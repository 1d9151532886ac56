/* SPDX-License-Identifier: MIT */
/*
 * FILE_client.h: for each method an inline stub that makes the call.
 */
#include "output.h"

#include <sstream>

namespace
{

class ClientWriter
{
      public:
	explicit ClientWriter(const SchemaFile &file) : file(file), schemas(file.schemas)
	{
	}

	bool holds_pointers(Node::Reader node) const
	{
		return node.getStruct().getPointerCount() > 0;
	}

	std::string client_text() const
	{
		std::ostringstream out;

		out << "#include <capos/cap.h>\n#include <capos/schema/" << file.name << ".h>\n";
		for (uint64_t id : file.interfaces) {
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
		bool sends = !file.is_empty(method.getParamStructType());
		bool answers = !file.is_empty(method.getResultStructType());

		out << "\nstatic inline int " << stem << "(cap_t cap" << file.struct_arguments(method, stem)
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

      private:
	const SchemaFile &file;
	const Schemas &schemas;
};

} // namespace

std::string client_text(const SchemaFile &file)
{
	return ClientWriter(file).client_text();
}
