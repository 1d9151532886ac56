/* SPDX-License-Identifier: MIT */
/*
 * The program's environment.
 */
#include "tools/capos/environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t name_length(const char *text)
{
	return strcspn(text, "=");
}

static bool has(const struct string_list *list, const char *name, size_t length)
{
	for (size_t i = 0; i < list->count; i++) {
		if (name_length(list->items[i]) == length &&
		    strncmp(list->items[i], name, length) == 0)
			return true;
	}
	return false;
}

const char *environment_add(struct string_list *list, const char *text)
{
	size_t length = name_length(text);

	if (length == 0)
		return "must be NAME=VALUE";
	if (has(list, text, length))
		return "that variable is given twice";
	if (list->count == LIST_MAX)
		return "given too often";
	if (text[length] == '\0') {
		const char *value = getenv(text);
		if (!value)
			return "must be NAME=VALUE, or the NAME of a variable that is set here";
		text = must_format("%s=%s", text, value);
	}
	list->items[list->count++] = text;
	return NULL;
}

static const char *read_lines(struct string_list *list, FILE *file)
{
	char *line = NULL;
	size_t size = 0;
	unsigned number = 0;
	ssize_t length;
	const char *problem = NULL;

	while (!problem && (length = getline(&line, &size, file)) >= 0) {
		number++;
		while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
			line[--length] = '\0';
		if (line[0] == '#' || line[strspn(line, " \t")] == '\0')
			continue;
		problem = strlen(line) != (size_t)length
		                  ? "a zero byte"
		                  : environment_add(list, must(strdup(line)));
		if (problem)
			problem = must_format("line %u: %s", number, problem);
	}
	if (!problem && ferror(file))
		problem = strerror(errno);
	free(line);
	return problem;
}

const char *environment_read(struct string_list *list, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return strerror(errno);
	const char *problem = read_lines(list, file);
	fclose(file);
	return problem;
}

const char *environment_merge(struct string_list *list, const struct string_list *other)
{
	for (size_t i = 0; i < other->count; i++) {
		if (has(list, other->items[i], name_length(other->items[i])))
			continue;
		const char *problem = environment_add(list, other->items[i]);
		if (problem)
			return problem;
	}
	return NULL;
}
