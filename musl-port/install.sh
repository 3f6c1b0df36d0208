#!/bin/sh
# SPDX-License-Identifier: MIT
# Part of `meson install`: install.sh BUILT SOURCE. Copies the C library, the linker script and all
# public headers to lib/twz under the prefix, where twz-cc looks for them.
set -eu

built=$1 source=$2
to=$MESON_INSTALL_DESTDIR_PREFIX/lib/twz

mkdir -p "$to"
cp "$built"/lib/* "$built"/program.ld "$to/"
rm -rf "$to/include"
cp -R "$built/include" "$to/include"
cp -R "$source"/libtwz/include/* "$source"/kernel/abi/* "$to/include/"
cp "$source/security/format.h" "$to/include/" # the public keys of <ku/ku.h>
for type in "$source"/objects/*/; do
    name=$(basename "$type")
    mkdir -p "$to/include/$name"
    find "$type" -name '*.h' ! -name inside.h -exec cp {} "$to/include/$name/" \;
done
