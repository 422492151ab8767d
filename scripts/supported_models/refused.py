"""What the exporter refuses, and why: the end of docs/supported-models.md."""

REFUSED = """
## Refused

By the layer's name, with what would be right. No file is written.

| model | why |
|---|---|
| gamma, Poisson and beta draws, `tf.random.shuffle` | neither ONNX operators nor functions of a fixed number of uniform or normal numbers |
| integers from a range above 65,536; binomial draws of more than 64 trials, or of a computed number | made of uniform numbers with 24 bits, one for each trial |
| a draw in `tf.map_fn`, `tf.while_loop` or `tf.cond`, or in a recurrent cell over more than 64 steps or an unknown number | each turn needs a draw of its own |
| a draw whose rows cannot be told apart, such as one of shape (batch, batch) | a row's answer would depend on the others |
| randomness of NumPy, Python's `random`, `tf.py_function` or `tf.numpy_function` | TensorFlow does not see it, and the file would hold one draw for ever |
| rows that depend on each other: Masksembles, centring by the batch, `BatchNormalization` called with `training=True` | requests and passes share batches |
| a rate that rows decide, or within 2^-24 of 0 or 1 | cannot be drawn |
| noise that is on even with `training=False` | the output without it is not defined |
| every dropout called with `training=False` by the model's own code | nothing varies in Keras either |
| stateful recurrent layers | they keep the state of a fixed batch |
| a batch size that layers compute with | passes are run by making the batch larger |
| several call arguments, scalar inputs, inputs that no output depends on | the server sends rows, one array for each input |
| `Hashing`, and a `StringLookup` with `num_oov_indices` above 1 | ONNX has no such hash |
| a lookup with `num_oov_indices=0` | Keras refuses unknown words when it runs, and a graph cannot |
| a `TextVectorization` that splits into characters or by a function, makes n-grams or ragged tensors; with `output_mode="int"` one without `output_sequence_length` | ONNX splits at spaces; rows as long as the longest of a batch depend on each other |
| in a `standardize` of your own: lowering beyond ASCII, and regular expressions but for single characters in brackets and plain texts | ONNX replaces nothing inside strings, and lowers by the machine's locale |
| a model that refuses some texts, as by `tf.strings.to_number`; numbers with a point made strings | a graph refuses nothing, and ONNX writes such numbers otherwise |
| outputs of strings | they have no mean |
| float8 layers, casts to bfloat16 | ONNX Runtime has no such kernels |
| bicubic, area or antialiased resizing of images of unknown size | ONNX has no operator that gives the same numbers |
| `cumprod`, FFT, `MelSpectrogram`, matrix inverse, Cholesky | tf2onnx cannot convert them |
"""
