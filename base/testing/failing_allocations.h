// FailingAllocations: memory that ends for the calling thread, in tests.
//
// Linking it replaces operator new and, where no sanitizer watches it, mmap.
// While one lives, its thread's n-th allocation fails, or that and all behind
// it. An allocation of libzmq's own code never fails: libzmq would abort.
// malloc is not replaced, so what a C library allocates never fails either.
//
// Threads: each has an account of its own; at most one lives on a thread. Errors:
// none. Under a sanitizer large blocks of BufferPool never fail.
//
//   for (int n = 1;; ++n) {
//     FailingAllocations failing(n, FailingAllocations::kOne);
//     const absl::Status status = server.Send(envelope);
//     if (!failing.failed()) break;  // there are no more
//   }

#ifndef CLUSTER_BASE_TESTING_FAILING_ALLOCATIONS_H_
#define CLUSTER_BASE_TESTING_FAILING_ALLOCATIONS_H_

namespace cluster {

class FailingAllocations {
 public:
  enum Which {
    kOne,   // the n-th
    kRest,  // the n-th and all that follow
  };

  // `nth` counts from 1.
  FailingAllocations(int nth, Which which);
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;
  ~FailingAllocations();

  // Whether the n-th was asked for.
  bool failed() const;
};

}  // namespace cluster

#endif  // CLUSTER_BASE_TESTING_FAILING_ALLOCATIONS_H_
