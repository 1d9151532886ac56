/* SPDX-License-Identifier: MIT */
/*
 * FILE.c: readers and writers of the types, and the dispatch of calls to handlers.
 */
#include "output.h"

#include <sstream>

namespace
{

class SourceWriter
{
      public:
	explicit SourceWriter(const SchemaFile &file) : file(file), schemas(file.schemas)
	{
	}

	std::string source_text() const
	{
		std::ostringstream out;

		out << file.banner() << "#include <capos/abi.h>\n#include <capos/schema/" << file.name
		    << "_server.h>\n#include <string.h>\n";
		for (uint64_t id : file.structs)
			define_struct(out, schemas.at(id));
		for (uint64_t id : file.interfaces)
			define_interface(out, schemas.at(id));
		out << "\nconst char *" << snake(file.name) << "_interface_name(uint64_t type_id)\n{\n\tswitch (type_id) {\n";
		for (uint64_t id : file.interfaces)
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
		bool takes = !file.is_empty(method.getParamStructType());
		bool answers = !file.is_empty(method.getResultStructType());

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

      private:
	const SchemaFile &file;
	const Schemas &schemas;
};

} // namespace

std::string source_text(const SchemaFile &file)
{
	return SourceWriter(file).source_text();
}
