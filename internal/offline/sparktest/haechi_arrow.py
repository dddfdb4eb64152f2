"""haechi_arrow.py: `haechi features pipe` as a child of each partition of a Spark data frame, for mapInArrow."""

import subprocess
import threading
import zlib

import pyarrow as pa


class Summed:
    """A pipe with the CRC-32 of what was read from it."""

    def __init__(self, pipe):
        self.pipe, self.crc, self.closed = pipe, 0, False

    def read(self, size=-1):
        data = self.pipe.read(size)
        self.crc = zlib.crc32(data, self.crc)
        return data


def vectors(command):
    """A function for DataFrame.mapInArrow that answers the rows of a partition with what `command` makes of them."""

    def partition(batches):
        batches = iter(batches)
        first = next(batches, None)
        if first is None:
            return
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        sent, broken, said = [0], [], []

        def feed():
            try:
                with child.stdin, pa.ipc.new_stream(child.stdin, first.schema) as stream:
                    batch = first
                    while batch is not None:
                        stream.write_batch(batch)
                        sent[0] += batch.num_rows
                        batch = next(batches, None)
            except BaseException as error:  # the child says what was wrong when it was the child
                broken.append(error)
                child.kill() if not isinstance(error, OSError) else None

        feeder = threading.Thread(target=feed)
        listener = threading.Thread(target=lambda: said.append(child.stderr.read()))
        feeder.start()
        listener.start()
        out = Summed(child.stdout)
        received = 0
        try:
            for batch in pa.ipc.open_stream(out):
                received += batch.num_rows
                yield batch
            crc, marker = out.crc, child.stdout.read()
        except pa.ArrowInvalid:
            crc, marker = 0, b""  # it ended before its time: the exit code and its last words tell
        feeder.join()
        listener.join()
        if child.wait() != 0 or broken:
            raise RuntimeError(f"haechi ended with {child.returncode}: {said[0].decode()} {broken}")
        if marker != b"\\.\t%d\t%d\t%08x\n" % (sent[0], received, crc):
            raise RuntimeError(f"haechi sent {received} of {sent[0]} rows and the end {marker!r}")

    return partition
