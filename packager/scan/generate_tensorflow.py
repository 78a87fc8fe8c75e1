"""Writes the list of TensorFlow's operators from an interpreter that has it:
`python generate_tensorflow.py tensorflow_operators.txt`.

Listed are operators that compute with tensors, or hold variables, tables and random numbers: whatever they are given,
they open no file, no socket and no Python. Left out on purpose are those that read or write files or print, datasets
and iterators, what calls Python, what talks to other devices and processes, and what loads or compiles programs.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LEFT_OUT = re.compile(
    r"File|Read(er|V|$)|Reader|Writer|Write(?!V2|Variable)|Save|Restore|Checkpoint|Dataset|Iterator|PyFunc|Print|Log$|"
    r"Summary|Debug|Dbg|Send|Recv|Collective|TPU|Tpu|Xla|Rpc|Remote|Worker|Server|Queue|Barrier|Stage|MapStage|Io|IO|"
    r"Trt|TRT|TensorRT|Nccl|Multi(Device|process)|Compile|Kernel|Plugin|Audio|Bigtable|Gcs|Disk|Cache|Snapshot|"
    r"TextLine|TFRecord|LMDB|Whole|Matching|Abort|Stub|^Test|^_|Experimental|ConfigureDistributed|Shutdown|Composite|"
    r"Eager|Symbolic|RecordInput|FixedUnigram|LoadAndRemap|ImportEvent|Infeed|Outfeed|Minibatch|Session|SyncDevice|Mutex|"
    r"Unstage|ImmutableConst|VocabRemapping|^(De|En)codeProto|"
    r"^(Ordered)?Map(Clear|Peek|Size|Incomplete)|BoostedTrees|ThreadPool|StatsAggregator"
)
KEPT = (
    "ReadVariableOp WriteVariableOp TensorArrayReadV3 TensorArrayWriteV3 TensorArrayV3 TensorArrayGatherV3 LookupTable"
    "FindV2 InitializeTableFromTextFileV2 Log DecodeRaw AudioSpectrogram"
)
"""Of those that the words leave out: they compute. A table's text file is an asset, whose name is checked."""


def main(out: Path) -> None:
    """Writes the list."""
    import tensorflow as tf
    from tensorflow.python.framework import op_def_registry

    names = {name for name in dir(tf.raw_ops) if not name.startswith("_") and op_def_registry.get(name) is not None}
    kept = {name for name in names if not LEFT_OUT.search(name)} | (set(KEPT.split()) & names)
    out.write_text("\n".join(sorted(kept)) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
