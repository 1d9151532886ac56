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
#include <capnp/serialize.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "output.h"

namespace
{

void write(const std::string &path, const std::string &text)
{
	std::ofstream out(path, std::ios::trunc);

	out << text;
	out.close();
	if (!out)
		refuse(path, "cannot be written");
}

std::string guarded(const SchemaFile &file, const std::string &suffix, const std::string &text)
{
	std::string guard = "CAPOS_SCHEMA_" + upper(file.name) + suffix + "_H";

	return file.banner() + "#ifndef " + guard + "\n#define " + guard + "\n\n" + text + "\n#endif\n";
}

void write_all(const SchemaFile &file)
{
	std::string headers = "include/capos/schema/" + file.name;

	write(headers + ".h", guarded(file, "", types_text(file)));
	write(headers + "_server.h", guarded(file, "_SERVER", server_text(file)));
	write(headers + "_client.h", guarded(file, "_CLIENT", client_text(file)));
	write("schema/" + file.name + ".c", source_text(file));
}

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
		write_all(SchemaFile(schemas, file.getId(), base_name(file.getFilename().cStr())));
	return 0;
}
