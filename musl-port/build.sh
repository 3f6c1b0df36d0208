#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds musl for programs of twz: build.sh SOURCE PATCHES OUT CC
#
# Copies SOURCE, applies PATCHES/*.patch in order, builds a static, position-independent library with
# musl's own configure and makefile, and installs it as OUT/lib and OUT/include. OUT/musl_stamp.h is
# written last. The build takes place in OUT/work, which is made anew each time.
set -eu

source=$1 patches=$2 out=$3 cc=$4
work=$out/work
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)

rm -rf "$work" "$out/lib" "$out/include"
mkdir -p "$work"
cp -R "$source" "$work/src"
cd "$work/src"
for p in "$patches"/*.patch; do
    patch -s -p1 <"$p" || { echo "musl-port: $p does not apply" >&2; exit 1; }
done

mkdir "$work/obj"
cd "$work/obj"
CC=$cc AR=ar RANLIB=ranlib CROSS_COMPILE=' ' CFLAGS='-fPIE -O2 -pipe -fcf-protection=none' ../src/configure --target=x86_64 \
    --prefix="$out" --syslibdir="$out/lib" --disable-shared --disable-wrapper >configure.log 2>&1 ||
    { tail -20 configure.log >&2; exit 1; }

# One line for every hundred files; make.log keeps the whole output for an error message.
wanted='lib/libc.a lib/rcrt1.o lib/crti.o lib/crtn.o'
# shellcheck disable=SC2086 # a list of words
{
    make -j"$jobs" $wanted 2>&1 && : >make.ok
} | tee make.log | awk -v total=1350 '
    / -c -o / { if (++n % 100 == 0) { printf "musl: %d of about %d files\n", n, total; fflush() } }'
[ -e make.ok ] || { grep -E '[Ee]rror:|\*\*\*' make.log | cut -c1-200 | head -20 >&2; exit 1; }
make install-headers >install.log 2>&1 || { tail -5 install.log >&2; exit 1; }
mkdir -p "$out/lib"
cp $wanted "$out/lib/"
for empty in m rt pthread crypt util xnet resolv dl; do
    ar rc "$out/lib/lib$empty.a"
done
cd "$out"
rm -rf "$work"
: >musl_stamp.h
