"""The C++ kernel where it cannot be compiled, or is refused."""

import runpy
import shutil

import jax
import pytest
from absl import logging

from avjax.kernels import KernelError, compiled
from avjax.kernels.lstm import cpu, lstm, picked
from tests.kernels.here import skip_without_compiler
from tests.kernels.lstm_test import example

STUB = """
#include "xla/ffi/api/c_api.h"
extern "C" XLA_FFI_Error* avjax_lstm_forward(XLA_FFI_CallFrame* frame) {
  auto* about = (XLA_FFI_Metadata_Extension*)frame->extension_start;
  about->metadata->api_version.major_version = XLA_FFI_API_MAJOR;
  about->metadata->api_version.minor_version = XLA_FFI_API_MINOR + 1;
  return nullptr;
}
extern "C" XLA_FFI_Error* avjax_lstm_backward(XLA_FFI_CallFrame* frame) {
  return avjax_lstm_forward(frame);
}
"""
"""A library of an XLA that is newer than the installed one."""


@pytest.fixture
def bare(monkeypatch, tmp_path):
  """A machine without a compiler, on which nothing was asked yet."""
  caches = compiled.library, compiled.missing, cpu.chosen
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
  monkeypatch.setenv('PATH', str(tmp_path))
  monkeypatch.delenv('CXX', raising=False)
  monkeypatch.delenv('AVJAX_LSTM', raising=False)
  monkeypatch.setattr(jax, 'device_count', lambda: 1)
  for cached in caches:
    cached.cache_clear()
  yield tmp_path
  for cached in caches:
    cached.cache_clear()


def compiler(folder, body):
  """Makes a compiler that appends to `log` and runs a line of shell."""
  path = folder / 'c++'
  path.write_text(
    f'#!/bin/sh\necho >> {folder}/log\nfor out; do :; done\n{body}'
  )
  path.chmod(0o755)


def test_what_is_picked(monkeypatch):
  """Law: C++ where it runs on one device; `fused` if that is asked for."""
  skip_without_compiler()
  monkeypatch.delenv('AVJAX_LSTM', raising=False)
  monkeypatch.setattr(jax, 'device_count', lambda: 1)
  assert picked() == 'cpu'
  monkeypatch.setattr(jax, 'device_count', lambda: 4)
  assert picked() == 'fused'
  monkeypatch.setenv('AVJAX_LSTM', 'cpu')
  assert picked() == 'cpu'


def test_no_compiler(bare, monkeypatch, capsys):
  """Law: None means 'fused' there, which is said once; `cpu` itself raises."""
  said = []
  monkeypatch.setattr(logging, 'warning', lambda *a: said.append(a[0] % a[1:]))
  assert [picked(), picked()] == ['fused', 'fused']
  assert len(said) == 1 and 'there is no C++ compiler' in said[0]
  with pytest.raises(KernelError, match="'cpu' cannot run here: there is no"):
    lstm(*example(), implementation='cpu')
  with pytest.raises(SystemExit):
    runpy.run_module('avjax.kernels.lstm', run_name='__main__')
  lines = dict(x.split(None, 1) for x in capsys.readouterr().out.splitlines())
  assert lines['fused'] == 'ready' and 'compiler' in lines['cpu']


def test_no_headers(bare, monkeypatch):
  """Law: a jaxlib without headers is told from a missing compiler."""
  compiler(bare, 'exit 0')
  monkeypatch.setattr(jax.ffi, 'include_dir', lambda: str(bare))
  assert 'brings no headers' in compiled.missing()


def test_what_was_refused_is_not_tried_again(bare):
  """Law: a failed compilation is remembered, until it is to be forgotten."""
  compiler(bare, '/bin/echo "x.cc:1: error: a reason" >&2; exit 1')
  for attempts in (1, 1):
    compiled.library.cache_clear()
    with pytest.raises(KernelError, match=r'does not compile .*a reason'):
      compiled.library()
    assert len((bare / 'log').read_text().splitlines()) == attempts
  compiled.forget()
  with pytest.raises(KernelError):
    compiled.library()
  assert len((bare / 'log').read_text().splitlines()) == 2


def test_a_handler_of_another_release(bare, monkeypatch):
  """Law: a library that XLA refuses at the call is never used."""
  monkeypatch.undo()  # of PATH: a real compiler makes this one's library
  monkeypatch.setenv('XDG_CACHE_HOME', str(bare / 'cache'))
  real = next((c for c in ('c++', 'g++', 'clang++') if shutil.which(c)), None)
  if real is None:
    pytest.skip('there is no compiler')
  (bare / 'stub.cc').write_text(STUB)
  flags = f'-shared -fPIC -I{jax.ffi.include_dir()} {bare}/stub.cc'
  compiler(bare, f'exec {shutil.which(real)} {flags} -o "$out"')
  monkeypatch.setenv('CXX', str(bare / 'c++'))
  assert 'fails when tried' in compiled.missing()
  assert picked() == 'fused'
  assert not list((bare / 'cache').rglob('*.so'))
