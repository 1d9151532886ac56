# SPDX-License-Identifier: MIT
# libcapos.a: what every native program links, with the code generated from schema/.

noinst_LIBRARIES += libcapos/libcapos.a
nodist_libcapos_libcapos_a_SOURCES = $(GENERATED_SOURCES)
libcapos_libcapos_a_CPPFLAGS = $(NATIVE_CPPFLAGS)
libcapos_libcapos_a_CFLAGS = $(NATIVE_CFLAGS)
libcapos_libcapos_a_CCASFLAGS = $(NATIVE_CCASFLAGS)
