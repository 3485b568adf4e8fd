"""A trained model as one file that other programs can run.

exporting      the file and its description
stablehlo      by jax.export
onnx_network   our own lowering, written with onnx_graph
checking       the file against the model, by fresh_process
"""
