"""A worker process of the local engine.

`python -m keras_explainer.batch_inference.local_worker OUTPUT`: reads the first byte of
a shard in the plan, a line each, from standard input, and writes a line of JSON for
each part file to standard output.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from keras_explainer.batch_inference.dataset_job import DatasetJob
from keras_explainer.batch_inference.dataset_output import (
    JOB,
    JOB_FOLDER,
    DatasetOutput,
    cannot_write,
)
from keras_explainer.batch_inference.part_file import write_part
from keras_explainer.batch_inference.saved_model_program import SavedModelProgram
from keras_explainer.batch_inference.shard_results import shard_results
from keras_explainer.errors import KerasExplainerError


def main(output: str) -> None:
    """Explains the shards that it is told, until there are no more.

    Args:
        output: Folder of the job.
    """
    # The process that started it decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(**said: Any) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    folder = Path(output)
    try:
        path = folder / JOB_FOLDER / JOB
        job = DatasetJob.of_text(path.read_text(encoding="utf-8"), path)
        place = DatasetOutput(folder, job)
        given = job.open_input()
        program = SavedModelProgram(Path(job.model), job.class_, job.contributions)
        answer(ready=True)
        for line in sys.stdin:
            shard = place.shard_at(int(line))
            rows = shard_results(program, given, shard, job.batch_size)
            try:
                facts = write_part(place.part(shard.number), shard.number, rows)
            except OSError as error:
                answer(stop=cannot_write(folder, error))
                return
            answer(rows=facts.rows)
    except KerasExplainerError as error:
        answer(stop=str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
