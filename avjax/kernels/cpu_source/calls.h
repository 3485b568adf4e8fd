// What a call of XLA brings, and how it is answered.
//
// Written for XLA's C interface: its C++ one takes three times as long to
// compile.
#pragma once

#include <new>

#include "threads.h"

namespace avjax {

inline const char* const OUT_OF_MEMORY = "the C++ kernel ran out of memory";

inline XLA_FFI_Error* failure(const XLA_FFI_CallFrame* frame, const char* message) {
  XLA_FFI_Error_Create_Args args = {};
  args.struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE;
  args.message = message;
  args.errc = XLA_FFI_Error_Code_INTERNAL;
  return frame->api->XLA_FFI_Error_Create(&args);
}

// Answers XLA when it asks what this was compiled for. Returns whether it did.
inline bool answered(XLA_FFI_CallFrame* frame) {
  auto* extension = frame->extension_start;
  if (!extension || extension->type != XLA_FFI_Extension_Metadata) return false;
  auto* about = reinterpret_cast<XLA_FFI_Metadata_Extension*>(extension);
  about->metadata->api_version.major_version = XLA_FFI_API_MAJOR;
  about->metadata->api_version.minor_version = XLA_FFI_API_MINOR;
  return true;
}

inline const XLA_FFI_Buffer& argument(const XLA_FFI_CallFrame* frame, long k) {
  return *static_cast<const XLA_FFI_Buffer*>(frame->args.args[k]);
}

template <class T>
const T* in(const XLA_FFI_CallFrame* frame, long k) {
  if (k >= frame->args.size) return nullptr;
  return static_cast<const T*>(argument(frame, k).data);
}

template <class T>
T* out(const XLA_FFI_CallFrame* frame, long k) {
  if (k >= frame->rets.size) return nullptr;
  return static_cast<T*>(static_cast<XLA_FFI_Buffer*>(frame->rets.rets[k])->data);
}

template <class Call>
XLA_FFI_Error* guarded(XLA_FFI_CallFrame* frame, Call&& call) {
  if (answered(frame)) return nullptr;
  try {
    return call(argument(frame, 0).dtype);
  } catch (const std::bad_alloc&) {
    return failure(frame, OUT_OF_MEMORY);
  }
}

}  // namespace avjax
