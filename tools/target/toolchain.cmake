# SPDX-License-Identifier: MIT
# For CMake: cmake -DCMAKE_TOOLCHAIN_FILE=FILE, where `capos sdk cmake` prints FILE.  Needs no PATH: it lies in
# share/capos of the sysroot and finds the tools from there.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)

get_filename_component(CAPOS_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../.." REALPATH)
set(CAPOS_TOOL "${CAPOS_SYSROOT}/bin/x86_64-capos-linux-musl-")

set(CMAKE_C_COMPILER "${CAPOS_TOOL}gcc")
set(CMAKE_ASM_COMPILER "${CAPOS_TOOL}gcc")
# Says that there is none, instead of the host's.
set(CMAKE_CXX_COMPILER "${CAPOS_TOOL}g++")
foreach(tool AR RANLIB STRIP NM OBJCOPY OBJDUMP READELF ADDR2LINE)
	string(TOLOWER "${tool}" name)
	set(CMAKE_${tool} "${CAPOS_TOOL}${name}" CACHE FILEPATH "capOS ${name}")
endforeach()
set(CMAKE_LINKER "${CAPOS_TOOL}ld" CACHE FILEPATH "capOS ld")
set(PKG_CONFIG_EXECUTABLE "${CAPOS_TOOL}pkg-config" CACHE FILEPATH "capOS pkg-config")

# What try_run and ctest start runs in capOS.
find_program(CAPOS_COMMAND capos HINTS "${CAPOS_SYSROOT}/.." "${CAPOS_SYSROOT}/../../../bin")
if(CAPOS_COMMAND)
	set(CMAKE_CROSSCOMPILING_EMULATOR "${CAPOS_COMMAND};run;--")
endif()

# Programs come from the host, all else from the sysroot and from CMAKE_PREFIX_PATH.
list(APPEND CMAKE_FIND_ROOT_PATH "${CAPOS_SYSROOT}" ${CMAKE_PREFIX_PATH})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
