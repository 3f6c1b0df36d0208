#!/bin/sh
# SPDX-License-Identifier: MIT
# On a bare Debian 12: clone, ./twz run -- build/examples/hello, ./twz test, and no other command;
# without a terminal and with standard input closed. All tests have run outside, so here the tests are
# a sample, drawn by the commit; TWZ_TEST_LONG=1 runs them all.
#
# Usage: bare.sh TREE
#
# debootstrap makes the bare tree once. $XDG_CACHE_HOME/twz keeps the packed tree and the packages
# that were fetched into it; one run of this script uses them at a time. The mirror is the one that
# this machine's apt uses. All mounts are in a mount namespace of their own. Needs root, network,
# 4 GiB in /var/tmp. This test is skipped there, since it would not end.
set -eu

suite=bookworm
tree=$1
clone=/srv/twz # in the bare tree
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/twz
passed=0
failed=0
root=

skip() {
    echo "skip  bare Debian: $*"
    exit 77
}

# Run the rest in namespaces of its own, so that every mount and process ends with this script.
if [ "${2-}" != inside ]; then
    [ -z "${TWZ_TEST_BARE-}" ] || skip 'this is the bare Debian'
    [ "$(id -u)" -eq 0 ] || skip 'not root'
    for tool in debootstrap unshare apt-get flock; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
    unshare --mount --pid --fork true 2>/dev/null || skip 'no namespaces here'
    exec unshare --mount --propagation private --pid --fork --kill-child "$0" "$tree" inside
fi

cleanup() {
    [ -n "$root" ] || return 0
    for mounted in proc dev var/cache/apt/archives; do
        umount -R -l "$root/$mounted" 2>/dev/null || :
    done
    rm -rf --one-file-system "$root"
}
trap cleanup EXIT
trap 'exit 143' INT TERM HUP

result() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok    $2"
    else
        failed=$((failed + 1))
        echo "FAIL  $2"
        shift 2
        for file in "$@"; do tail -n 40 "$file" | sed 's/^/    | /'; done
    fi
}

# shellcheck disable=SC2016 # the words with $ are for apt-get
mirror() {
    apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        sed -n "s/^$suite main //p" | head -n 1
}

make_bare_tree() {
    packed=$cache/$suite-bare.tar
    mkdir -p "$cache/archives/partial"
    exec 9>"$cache/lock"
    flock 9
    rm -rf --one-file-system /var/tmp/twz-bare.* # of a run that was killed
    root=$(mktemp -d /var/tmp/twz-bare.XXXXXX)
    if [ ! -f "$packed" ]; then
        url=$(mirror)
        [ -n "$url" ] || skip "apt knows no mirror of $suite"
        echo "making a bare $suite with debootstrap"
        debootstrap --variant=minbase --cache-dir="$cache/archives" "$suite" "$root" "$url" \
            >"$cache/debootstrap.log" 2>&1 ||
            skip "debootstrap failed, see $cache/debootstrap.log: $(tail -n 1 "$cache/debootstrap.log")"
        tar -C "$root" --one-file-system --exclude=./proc --exclude=./dev --exclude=./sys \
            -cf "$packed.part" .
        mv "$packed.part" "$packed"
        rm -rf --one-file-system "$root"
        mkdir -p "$root"
    fi
    tar -C "$root" -xf "$packed"
    chmod 755 "$root"
}

# Add what a tree of files lacks: /proc, a few devices, the network's configuration.
furnish() {
    cd "$root"
    mkdir -p proc dev sys mnt
    mount -t proc proc proc
    mount -t tmpfs -o mode=755 tmpfs dev
    for device in null zero full random urandom tty; do
        : >"dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    mkdir -p dev/shm dev/pts
    mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    cp /etc/resolv.conf /etc/hosts etc/ 2>/dev/null || :
    apt-config dump Acquire | grep -E '::(Proxy|Check)' >etc/apt/apt.conf.d/90machine || :
    mkdir -p var/cache/apt/archives
    mount --bind "$cache/archives" var/cache/apt/archives
    cd /
}

clone() {
    if ! git clone -q "$tree" "$root$clone" 2>/dev/null; then
        rm -rf "${root:?}$clone"
        mkdir -p "$root$clone"
        tar -C "$tree" --exclude=./build --exclude=./subprojects/packagecache \
            --exclude='./subprojects/*-[0-9]*' --exclude='./twz.pool*' -cf - . |
            tar -C "$root$clone" -xf -
    fi
}

# inside COMMAND...: runs it in the bare tree's clone, without terminal, standard input closed.
inside() {
    setsid -w chroot "$root" /usr/bin/env -i --chdir="$clone" HOME=/root LANG=C.UTF-8 \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin TWZ_TEST_BARE=1 sh -c 'exec "$@" <&- 9<&-' sh "$@"
}

out=
test_only_listing() {
    before=$(sha256sum "$root/var/lib/dpkg/status")
    status=0
    inside ./twz run --no-install >"$out/list.out" 2>"$out/list.err" || status=$?
    [ "$status" -eq 3 ] && grep -q '^    gcc ' "$out/list.err" &&
        grep -q '^    qemu-system-x86 ' "$out/list.err" && [ ! -s "$out/list.out" ] &&
        [ "$before" = "$(sha256sum "$root/var/lib/dpkg/status")" ]
}

test_hello() {
    sources=$(cat "$root"/etc/apt/sources.list* "$root"/etc/apt/sources.list.d/* 2>/dev/null | sha256sum)
    inside ./twz run -- build/examples/hello >"$out/hello.out" 2>"$out/hello.err" &&
        grep -qi hello "$out/hello.out" &&
        [ "$sources" = "$(cat "$root"/etc/apt/sources.list* "$root"/etc/apt/sources.list.d/* 2>/dev/null | sha256sum)" ]
}

# A second run prints nothing of its own.
test_hello_again() {
    inside ./twz run -- build/examples/hello >"$out/again.out" 2>"$out/again.err" &&
        cmp -s "$out/hello.out" "$out/again.out" && [ ! -s "$out/again.err" ]
}

# A seed that is another one in each commit, and the same in each run of it.
seed() {
    commit=$(git -C "$tree" rev-parse --short=7 HEAD 2>/dev/null) || commit=1
    echo $((0x$commit))
}

test_tests() {
    status=0
    if [ -n "${TWZ_TEST_LONG-}" ]; then set -- --long; else set -- --sample --seed "$(seed)"; fi
    echo "      ./twz test $*"
    inside ./twz test "$@" >"$out/test.out" 2>&1 || status=$?
    grep '^ *| skip' "$out/test.out" || :
    tail -n 1 "$out/test.out"
    [ "$status" -eq 0 ] && tail -n 1 "$out/test.out" | grep -Eq '^[0-9]+ passed, 0 failed$'
}

check() {
    name=$1
    shift
    if "test_$name"; then result 0 "$name"; else result 1 "$name" "$@"; fi
}

make_bare_tree
out=$root/var/tmp
furnish
clone
check only_listing "$out/list.err"
check hello "$out/hello.err" "$out/hello.out"
check hello_again "$out/again.err" "$out/again.out"
check tests "$out/test.out"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
