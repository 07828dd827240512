"""What training itself computes: `losses`, `optimizers` and `schedules` from Keras, `metrics` from scikit-learn.

Each module has a function `collect()` that returns the tensors of one safetensors file and the content of the JSON
file of the same name.
"""
