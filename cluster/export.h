/* CLUSTER_EXPORT marks what the shared library exports; all else in it is hidden.
 *
 * C and C++ headers include this one. It changes nothing in programs that link the library
 * statically.
 */

#ifndef CLUSTER_EXPORT_H_
#define CLUSTER_EXPORT_H_

#if defined(__GNUC__)
#define CLUSTER_EXPORT __attribute__((visibility("default")))
#else
#define CLUSTER_EXPORT
#endif

#endif /* CLUSTER_EXPORT_H_ */
