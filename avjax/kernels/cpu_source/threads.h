// Parts of one piece of work on XLA's own threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "xla/ffi/api/c_api.h"

namespace avjax {

// Work whose parts the caller does together with threads that happen to be
// free. It waits only for parts that were begun, never for a thread to become
// free: the caller may be one of the pool's threads itself.
class Team {
 public:
  Team(long parts, std::function<void(long)> work)
      : parts_(parts), work_(std::move(work)) {}

  void take() {
    for (long part; (part = next_++) < parts_;) {
      try {
        work_(part);
      } catch (...) {
        failed_ = true;
      }
      std::lock_guard<std::mutex> lock(mutex_);
      if (++done_ == parts_) all_done_.notify_all();
    }
  }

  // Returns whether every part succeeded.
  bool wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    all_done_.wait(lock, [&] { return done_ == parts_; });
    return !failed_;
  }

 private:
  const long parts_;
  const std::function<void(long)> work_;
  std::atomic<long> next_{0};
  std::atomic<bool> failed_{false};
  long done_ = 0;
  std::mutex mutex_;
  std::condition_variable all_done_;
};

inline void drop(const XLA_FFI_CallFrame* frame, XLA_FFI_Error* error) {
  XLA_FFI_Error_Destroy_Args args = {};
  args.struct_size = XLA_FFI_Error_Destroy_Args_STRUCT_SIZE;
  args.error = error;
  frame->api->XLA_FFI_Error_Destroy(&args);
}

// Returns the threads that XLA has for this call, 1 where it has no pool.
inline long threads(const XLA_FFI_CallFrame* frame) {
  int64_t count = 1;
  XLA_FFI_ThreadPool_NumThreads_Args args = {};
  args.struct_size = XLA_FFI_ThreadPool_NumThreads_Args_STRUCT_SIZE;
  args.ctx = frame->ctx;
  args.num_threads = &count;
  if (auto* error = frame->api->XLA_FFI_ThreadPool_NumThreads(&args)) {
    drop(frame, error);
    return 1;
  }
  return count > 1 ? count : 1;
}

// Returns whether work(0) to work(parts - 1) all succeeded.
inline bool in_parts(
    const XLA_FFI_CallFrame* frame, long parts,
    std::function<void(long)> work) {
  auto team = std::make_shared<Team>(parts, std::move(work));
  for (long other = 1; other < parts; ++other) {
    auto* share = new std::shared_ptr<Team>(team);
    XLA_FFI_ThreadPool_Schedule_Args args = {};
    args.struct_size = XLA_FFI_ThreadPool_Schedule_Args_STRUCT_SIZE;
    args.ctx = frame->ctx;
    args.data = share;
    args.task = [](void* data) {
      auto* share = static_cast<std::shared_ptr<Team>*>(data);
      (*share)->take();
      delete share;
    };
    if (auto* error = frame->api->XLA_FFI_ThreadPool_Schedule(&args)) {
      drop(frame, error);
      delete share;
      break;
    }
  }
  team->take();
  return team->wait();
}

}  // namespace avjax
