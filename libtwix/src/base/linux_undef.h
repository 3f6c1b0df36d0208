/* SPDX-License-Identifier: MIT */
/* Takes back the macros that an expansion of linux.def needed. */
#undef LINUX0
#undef LINUX1
#undef LINUX2
#undef LINUX3
#undef LINUX4
#undef LINUX5
#undef LINUX6
