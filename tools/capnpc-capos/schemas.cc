/* SPDX-License-Identifier: MIT */
/*
 * What is read from the compiler's description of a schema, and how it is named in C.
 */
#include "schemas.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>

void refuse(const std::string &where, const std::string &why)
{
	std::fprintf(stderr, "capnpc-capos: %s: %s\n", where.c_str(), why.c_str());
	std::exit(1);
}

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

Schemas::Schemas(CodeGeneratorRequest::Reader request)
{
	for (auto node : request.getNodes())
		nodes.emplace(node.getId(), node);
}

Node::Reader Schemas::at(uint64_t id) const
{
	auto found = nodes.find(id);

	if (found == nodes.end())
		refuse(hex(id), "the compiler did not describe this type");
	return found->second;
}

std::string Schemas::scoped_name(uint64_t id) const
{
	std::string name = at(id).getDisplayName().cStr();
	size_t colon = name.rfind(':');

	return colon == std::string::npos ? name : name.substr(colon + 1);
}

std::string Schemas::tag(uint64_t id) const
{
	auto found = method_structs.find(id);

	return found == method_structs.end() ? snake(scoped_name(id)) : found->second;
}

uint64_t Schemas::file_of(uint64_t id) const
{
	Node::Reader node = at(id);

	while (!node.isFile())
		node = at(node.getScopeId());
	return node.getId();
}

std::string base_name(const std::string &path)
{
	size_t slash = path.rfind('/');
	std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
	size_t dot = name.rfind(".capnp");

	return dot == std::string::npos ? name : name.substr(0, dot);
}

bool scalar_of(Type::Reader type, Scalar *out)
{
	switch (type.which()) {
	case Type::BOOL:
		*out = {"bool", 1, 1};
		return true;
	case Type::INT8:
		*out = {"int8_t", 8, 2};
		return true;
	case Type::UINT8:
		*out = {"uint8_t", 8, 2};
		return true;
	case Type::INT16:
		*out = {"int16_t", 16, 3};
		return true;
	case Type::UINT16:
	case Type::ENUM:
		*out = {"uint16_t", 16, 3};
		return true;
	case Type::INT32:
		*out = {"int32_t", 32, 4};
		return true;
	case Type::UINT32:
		*out = {"uint32_t", 32, 4};
		return true;
	case Type::INT64:
		*out = {"int64_t", 64, 5};
		return true;
	case Type::UINT64:
		*out = {"uint64_t", 64, 5};
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

SchemaFile::SchemaFile(Schemas &schemas, uint64_t file, std::string name)
	: schemas(schemas), name(std::move(name)), naming(schemas), file(file)
{
	name_method_structs(schemas.at(file));
	collect(schemas.at(file));
}

std::string SchemaFile::banner() const
{
	return "/* SPDX-License-Identifier: MIT */\n/* Written by capnpc-capos from " + name +
	       ".capnp; change that instead. */\n";
}

void SchemaFile::name_method_structs(Node::Reader node)
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

void SchemaFile::name_one(uint64_t id, const std::string &tag)
{
	if (schemas.at(id).getScopeId() != 0)
		refuse(tag, "a named struct as parameters or results is not supported");
	naming.method_structs[id] = tag;
}

void SchemaFile::collect(Node::Reader node)
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

void SchemaFile::collect_interface(Node::Reader node)
{
	interfaces.push_back(node.getId());
	for (auto method : node.getInterface().getMethods()) {
		require(method.getParamStructType());
		require(method.getResultStructType());
	}
}

/* Orders structs so that each stands behind those it holds. */
void SchemaFile::require(uint64_t id)
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

void SchemaFile::require_fields(Node::Reader node)
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

bool SchemaFile::is_empty(uint64_t id) const
{
	return schemas.at(id).getStruct().getFields().size() == 0;
}

std::string SchemaFile::struct_arguments(Method::Reader method, const std::string &stem) const
{
	std::string text;

	if (!is_empty(method.getParamStructType()))
		text += ", const struct " + stem + "_params *in";
	if (!is_empty(method.getResultStructType()))
		text += std::string(text.empty() ? ", " : ",\n\t\t") + "struct " + stem + "_results *out";
	return text;
}
