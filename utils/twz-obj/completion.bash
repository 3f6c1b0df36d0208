# SPDX-License-Identifier: MIT
# Completion of twz-obj for bash. twz-obj itself lists its commands and options. Paths come from the
# pool that the command line or TWZ_POOL names.

# Options of a command that take an argument, each followed by a blank.
_twz_obj_valued() {
    twz-obj --words="$1" 2>/dev/null | while IFS=' ' read -r name argument; do
        [ -n "$argument" ] && printf '%s ' "$name"
    done
}

# Paths in the pool that begin with $1; directories end in '/'.
_twz_obj_paths() {
    local word=$1 dir= mode name path where=()
    [ -z "$pool" ] || where=(--pool "$pool")
    case $word in */*) dir=${word%/*}/ ;; esac
    twz-obj "${where[@]}" ls -l "${dir:-/}" 2>/dev/null </dev/null |
        while IFS=' ' read -r mode _ _ _ _ _ name; do
            path=$dir${name%% -> *}
            case $mode in d*) path=$path/ ;; esac
            [[ $path == "$word"* ]] && printf '%s\n' "$path"
        done
}

# Is the word a host file? $1: the command, $2: the number of operands before the word.
_twz_obj_wants_host_file() {
    case $1 in
    mkpool | snapshot | batch | 'key new' | 'key show' | 'key export' | 'cap show' | 'cap verify')
        return 0 ;;
    put | 'key seal' | 'key import') [ "$2" -eq 0 ] ;;
    get | 'cap new' | 'sctx add') [ "$2" -ge 1 ] ;;
    *) return 1 ;;
    esac
}

# Is the word the first of commands of two words?
_twz_obj_is_noun() { [[ $1 =~ ^(key|cap|sctx)$ ]]; }

_twz_obj() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command= pool= operands=0 words i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --pool) pool=${COMP_WORDS[++i]} ;;
        -*) [[ " $(_twz_obj_valued "$command")" == *" ${COMP_WORDS[i]} "* ]] && ((i++)) ;;
        *)
            if [ -z "$command" ]; then
                command=${COMP_WORDS[i]}
            elif _twz_obj_is_noun "$command"; then
                command="$command ${COMP_WORDS[i]}"
            else
                ((operands++))
            fi
            ;;
        esac
    done
    if [ -z "$command" ]; then
        words="$(twz-obj --words | cut -d' ' -f1 | uniq) --pool --json --jsonl --help --version"
    else
        words=$(twz-obj --words="$command")
    fi
    words=$(printf '%s\n' "$words" | tr ' ' '\n' | grep -E -- '^(--)?[a-z-]+$')
    local IFS=$'\n'
    if [[ $before =~ ^--(pool|backup|key|statement)$ ]]; then
        COMPREPLY=($(compgen -f -- "$word"))
    elif [[ $word == -* || -z $command ]] || _twz_obj_is_noun "$command"; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
    elif _twz_obj_wants_host_file "$command" "$operands"; then
        COMPREPLY=($(compgen -f -- "$word"))
    else
        COMPREPLY=($(_twz_obj_paths "$word"))
    fi
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -o filenames -F _twz_obj twz-obj
