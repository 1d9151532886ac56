// SPDX-License-Identifier: MIT
// A library of a program: its exceptions are caught by the program that opened it.
#include <iostream>
#include <stdexcept>

namespace {
struct Begin {
	Begin() { std::cout << "library begins\n"; }
	~Begin() { std::cout << "library ends\n"; }
} begin;
thread_local int calls;
} // namespace

extern "C" void throw_it(const char *what)
{
	if (++calls)
		throw std::invalid_argument(what);
}
