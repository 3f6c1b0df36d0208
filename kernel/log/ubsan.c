/* SPDX-License-Identifier: MIT */
/*
 * The functions that the undefined-behaviour sanitizer calls in builds with -Dubsan=true. A check
 * that fails panics with its place in the source, which every report begins with. The kind is in
 * the function's name; the compilers choose these names.
 */
#include <kernel/panic.h>

struct source_place {
    const char *file;
    uint32_t line;
    uint32_t column;
};

#define REPORT(name, what)                                             \
    void __ubsan_handle_##name##_abort(const struct source_place *at); \
    void __ubsan_handle_##name##_abort(const struct source_place *at)  \
    {                                                                  \
        panic_at(at->file, (int)at->line, "undefined: " what);         \
    }

REPORT(add_overflow, "addition overflows")
REPORT(sub_overflow, "subtraction overflows")
REPORT(mul_overflow, "multiplication overflows")
REPORT(negate_overflow, "negation overflows")
REPORT(divrem_overflow, "division overflows or divides by zero")
REPORT(shift_out_of_bounds, "shift out of bounds")
REPORT(out_of_bounds, "index out of bounds")
REPORT(type_mismatch_v1, "null, misaligned or too small for its type")
REPORT(alignment_assumption, "alignment as promised")
REPORT(load_invalid_value, "value outside its type")
REPORT(pointer_overflow, "pointer arithmetic overflows")
REPORT(vla_bound_not_positive, "array without a positive length")
REPORT(nonnull_arg, "null where an argument must not be")
REPORT(nonnull_return_v1, "null returned where it must not be")
REPORT(invalid_builtin, "builtin called with an invalid value")
REPORT(float_cast_overflow, "float out of range")
REPORT(function_type_mismatch, "call through the wrong type")

/* Two have no other form. */
NORETURN void __ubsan_handle_builtin_unreachable(const struct source_place *at);
NORETURN void __ubsan_handle_builtin_unreachable(const struct source_place *at)
{
    panic_at(at->file, (int)at->line, "undefined: unreachable code reached");
}

NORETURN void __ubsan_handle_missing_return(const struct source_place *at);
NORETURN void __ubsan_handle_missing_return(const struct source_place *at)
{
    panic_at(at->file, (int)at->line, "undefined: a function with a result ends without one");
}
