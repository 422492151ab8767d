"""Tuning constants of execution providers: sizes of chunks and batches, session options.

They change only time and memory, never an answer. Each states the command that measured it, if
there is one. Constants that depend on the patience of clients instead of on the processor are
defined where they are applied: time slices and the queue in `service.scheduling`, the pieces of
bodies and answers in `service.serving` and `service.api`.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Tuning:
    """Tuning of one execution provider.

    Attributes:
        max_samples: maximum rows × passes in the tail at a time, and rows in the trunk. More
            are not faster, and exceed the CPU cache.
        max_passes: maximum passes of a chunk, which limits the memory of draws.
        full_batch: samples of a batch of several jobs beyond which larger batches gain nothing.
        max_joined: maximum samples of a job in a batch; a larger one uses all cores alone.
        max_repeated: the same if the rows of a job share masks, which a batch has to repeat
            for each row.
        reduced_output: minimum elements of an output per row for which the graph computes the
            moments over passes.
        max_joined_graphs: maximum bytes of trunk and tail that are also loaded as one graph.
        memory_margin: memory of the allocator, as a multiple of that of the live tensors.
        step_seconds: constant overhead of a step.
        hiccup_seconds, few_samples: shorter steps of fewer samples are ignored as too noisy.
        trial_passes: maximum passes at a time in measuring a model's speed.
        draw_cost, apply_cost: cost of drawing an element of a mask and of multiplying by it, in
            multiply-adds of a matrix product.
        memory_pattern: whether a session plans one block for all tensors of a shape.
        spins: whether a session's threads spin after a run, waiting for the next one.
        shares_arena: whether all sessions share one arena for the memory of their runs.
    """

    max_samples: int
    max_passes: int
    full_batch: int
    max_joined: int
    max_repeated: int
    reduced_output: int
    max_joined_graphs: int
    memory_margin: float
    step_seconds: float
    hiccup_seconds: float
    few_samples: int
    trial_passes: int
    draw_cost: int
    apply_cost: int
    memory_pattern: bool
    spins: bool
    shares_arena: bool


#: On two cores of an x86 server.
ON_CPU = Tuning(
    # `make bench` times whole calls with it; no command compares it with other sizes.
    max_samples=4096,
    # 100,000 passes of one row take the memory of 1000: `make bench`, its figures of memory.
    max_passes=1024,
    # `make serverbench`: the server with and without MCDROPOUT_MAX_BATCH_ROWS=1, which shows
    # the gain of batching. The three limits were found by hand (docs/architecture.md, "Dynamic
    # batching and time slices").
    full_batch=2048,
    max_joined=512,
    max_repeated=96,
    # Chosen, not measured.
    reduced_output=2048,
    max_joined_graphs=16 << 20,
    # By hand: ONNX Runtime's arena holds more memory than the live tensors.
    memory_margin=2.0,
    # Chosen near the sum of validation, trunk, draws and moments of one row in `make bench`.
    step_seconds=0.0003,
    # Chosen, not measured.
    hiccup_seconds=0.004,
    few_samples=32,
    trial_passes=128,
    # By hand: 0.28 and 0.2 ns, against 97 multiply-adds per ns. `make bench` shows
    # the total cost of draws among the parts of a call.
    draw_cost=27,
    apply_cost=19,
    # By hand, 100,000 passes of a CNN: from a shape's second run on, a pattern is one block
    # beside the tensors of its first, 318 MiB instead of 241, and no faster.
    memory_pattern=False,
    # By hand: with spinning, the tail took up to 2.5 times as long, because the threads of the
    # trunk took its CPU time. Within a run they may spin.
    spins=False,
    # `make soak` for the remaining memory; by hand, without an arena a CNN took 1.5 times as long.
    shares_arena=True,
)

#: For GPUs and other providers: the CPU's sizes, chosen and not measured.
ON_CUDA = replace(ON_CPU, shares_arena=False)
