"""A model as StableHLO, for JAX and other compilers of it."""

import jax
from jax import export

from avjax.models.averaged import LENGTHS, Averaged

PLATFORMS = ('cpu', 'cuda', 'rocm', 'tpu')


def serialised(model: Averaged) -> bytes:
  """Returns the model as `jax.export.deserialize` reads it.

  The weights are inside. `.call(audio=..., ...)` takes the arrays of
  `Averaged.inputs` by name, of any number of clips and frames, and returns
  those of `Averaged.outputs`. Products have the full precision of float32 on
  every platform.
  """
  scope = export.SymbolicScope()
  arguments = {}
  for name, shape in model.inputs.items():
    text = ', '.join(str(size).lower() for size in shape)
    arguments[name] = jax.ShapeDtypeStruct(
      export.symbolic_shape(text, scope=scope),
      'int32' if name in LENGTHS else 'float32',
    )
  with jax.default_matmul_precision('highest'):
    exported = export.export(jax.jit(model.__call__), platforms=PLATFORMS)(
      **arguments
    )
  return bytes(exported.serialize())
