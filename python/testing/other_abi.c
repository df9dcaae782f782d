/* A library with a later version of the C API, as far as the version. */

unsigned cluster_abi_version(void);
unsigned cluster_abi_version(void) { return 2u << 16; }
