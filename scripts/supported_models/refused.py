"""The unsupported models, with reasons: the end of docs/supported-models.md."""

REFUSED = """
## Refused

The export of these models fails with the name of the layer and what would be right; it writes no file.

| model | why |
|---|---|
| gamma, Poisson and beta draws, `tf.random.shuffle` | neither ONNX operators nor functions of a fixed number of uniform or normal numbers |
| integers from a range above 65,536; binomial draws of more than 64 trials, or of a computed number | computed from uniform numbers with 24 bits, one per trial |
| a draw in `tf.map_fn`, `tf.while_loop` or `tf.cond`, or in a recurrent cell over more than 64 steps or an unknown number | each iteration needs its own draw |
| a draw whose rows cannot be distinguished, such as one of shape (batch, batch) | a row's answer would depend on the others |
| randomness of NumPy, Python's `random`, `tf.py_function` or `tf.numpy_function` | TensorFlow does not see it, and the file would contain one constant draw |
| rows that depend on each other: Masksembles, centring over the batch, `BatchNormalization` called with `training=True` | requests and passes share batches |
| a dropout rate that depends on the rows, or is within 2^-24 of 0 or 1 | cannot be drawn |
| noise that is active even with `training=False` | the output without it is undefined |
| every dropout called with `training=False` by the model's own code | the outputs do not vary in Keras either |
| stateful recurrent layers | they keep state for a fixed batch size |
| a batch size that layers compute with | the server enlarges the batch to run passes |
| several call arguments, scalar inputs, inputs that no output depends on | the server sends rows, one array for each input |
| `Hashing`, and a `StringLookup` with `num_oov_indices` above 1 | ONNX has no such hash |
| a lookup with `num_oov_indices=0` | Keras raises an error for unknown words at run time, and a graph cannot |
| a `TextVectorization` that splits into characters or by a function, makes n-grams or ragged tensors; with `output_mode="int"` one without `output_sequence_length` | ONNX splits at spaces; if rows are padded to the longest row of the batch, they depend on each other |
| in a custom `standardize` function: lower-casing beyond ASCII, and regular expressions other than character classes and plain text | ONNX cannot replace text inside strings, and converts to lower case by the machine's locale |
| a model that rejects some texts, for example by `tf.strings.to_number`; conversion of floats to strings | a graph cannot raise errors, and ONNX formats such numbers differently |
| string outputs | they have no mean |
| float8 layers, casts to bfloat16 | ONNX Runtime has no such kernels |
| bicubic, area or antialiased resizing of images of unknown size | ONNX has no operator that gives the same numbers |
| `cumprod`, FFT, `MelSpectrogram`, matrix inverse, Cholesky | tf2onnx cannot convert them |
"""
