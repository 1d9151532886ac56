/* SPDX-License-Identifier: MIT */
/*
 * FILE.h: C types for what a schema declares, and the prototypes of their readers and writers.
 */
#include "output.h"

#include <sstream>

namespace
{

class TypesWriter
{
      public:
	explicit TypesWriter(const SchemaFile &file) : file(file), schemas(file.schemas)
	{
	}

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
		for (const std::string &import : file.imports)
			out << "#include <capos/schema/" << import << ".h>\n";
		for (uint64_t id : file.constants)
			declare_constant(out, schemas.at(id));
		for (uint64_t id : file.enums)
			declare_enum(out, schemas.at(id));
		for (uint64_t id : file.structs)
			declare_struct(out, schemas.at(id));
		for (uint64_t id : file.interfaces)
			declare_interface(out, schemas.at(id));
		out << "\n/* The name of an interface of this file by its type id, or NULL. */\n"
		    << "const char *" << snake(file.name) << "_interface_name(uint64_t type_id);\n";
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

      private:
	const SchemaFile &file;
	const Schemas &schemas;
};

} // namespace

std::string types_text(const SchemaFile &file)
{
	return TypesWriter(file).header_text();
}
