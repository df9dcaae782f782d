// FailingAllocations: makes allocations of the calling thread fail, in tests.
//
// Linking it replaces operator new and, without a sanitizer, mmap. While one
// lives, its thread's n-th allocation fails, or that and all later ones.
// Allocations of libzmq's own code never fail, since libzmq would abort. malloc
// is not replaced, so those of C libraries never fail either. Under a sanitizer
// large blocks of BufferPool never fail. At most one lives on a thread.
//
//   for (int n = 1;; ++n) {
//     FailingAllocations failing(n, FailingAllocations::kOne);
//     const absl::Status status = server.Send(envelope);
//     if (!failing.failed()) break;  // there are no more
//   }

#ifndef CLUSTER_BASE_TESTING_FAILING_ALLOCATIONS_H_
#define CLUSTER_BASE_TESTING_FAILING_ALLOCATIONS_H_

namespace cluster::internal {

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

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_TESTING_FAILING_ALLOCATIONS_H_
