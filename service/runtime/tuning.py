"""How work is cut and sessions are set, which follows from what runs it: an execution provider.

No number here changes an answer, only its time and memory. Beside each stands the command that
measured it, or that no command does. What follows from people's patience, and not from a
processor, is policy and lies where it is applied: time slices and the queue in
`service.scheduling`, the pieces of bodies and answers in `service.serving` and `service.api`.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Tuning:
    """Of one execution provider.

    Attributes:
        most_samples: rows × passes that go through the tail at a time, and rows through the
            trunk, at most. More gain nothing, and leave the cache.
        most_passes: of a chunk, at most: so many are cheap to start, and their draws small.
        full_batch: samples of a batch of several jobs from which on more gain nothing.
        most_joined: samples of a job that joins others, at most; a larger one keeps the
            processor busy by itself.
        most_repeated: the same where a job's rows share their masks, which joined have to be
            repeated for each.
        reduced_output: elements of an output for one row from which on the graph reduces it
            over passes.
        most_joined_graphs: bytes of trunk and tail, at most, that are loaded as one graph, too.
        memory_margin: what the allocator keeps, as a multiple of what is alive.
        step_seconds: what a step costs beside its rows and passes.
        hiccup_seconds, few_samples: a shorter step of fewer samples says more of the machine's
            hiccups than of the model.
        trial_passes: at a time, at most, that are run to learn a model's speed.
        draw_cost, apply_cost: what drawing an element of a mask and multiplying by it take, in
            multiply-adds of a matrix product.
        memory_pattern: whether a session plans one block for all tensors of a shape.
        spins: whether a session's threads spin on when a run is over, in case another comes.
        shares_arena: whether all sessions take the memory of their runs from one arena.
    """

    most_samples: int
    most_passes: int
    full_batch: int
    most_joined: int
    most_repeated: int
    reduced_output: int
    most_joined_graphs: int
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
    # `make bench` times whole calls with it; that it is the best size no command shows.
    most_samples=4096,
    # 100,000 passes of one row take the memory of 1000: `make bench`, its figures of memory.
    most_passes=1024,
    # `make serverbench`: the server against itself with MCDROPOUT_MAX_BATCH_ROWS=1. It shows
    # what joining gains; the three limits were found by hand (docs/architecture.md, "Batches
    # and turns").
    full_batch=2048,
    most_joined=512,
    most_repeated=96,
    # Chosen, not measured.
    reduced_output=2048,
    most_joined_graphs=16 << 20,
    # By hand: ONNX Runtime's arena keeps more than is alive.
    memory_margin=2.0,
    # Chosen near what `make bench` shows of one row's validation, trunk, draws and moments.
    step_seconds=0.0003,
    # Chosen, not measured.
    hiccup_seconds=0.004,
    few_samples=32,
    trial_passes=128,
    # By hand: 0.28 and 0.2 ns, against 97 multiply-adds a ns. `make bench` shows the sum of
    # what draws cost in its parts of a call.
    draw_cost=27,
    apply_cost=19,
    # By hand, 100,000 passes of a CNN: from a shape's second run on, a pattern is one block
    # beside the tensors of its first, 318 MiB in place of 241, and no faster.
    memory_pattern=False,
    # By hand: of a trunk and its tail, the tail took up to 2.5 times as long, for the threads
    # of the trunk took its time. Within a run they may spin.
    spins=False,
    # `make soak` for what stays; by hand, without any arena a CNN took 1.5 times as long.
    shares_arena=True,
)

#: On a GPU, and on whatever else is not the CPU: the CPU's sizes, chosen and not measured here.
ON_CUDA = replace(ON_CPU, shares_arena=False)
