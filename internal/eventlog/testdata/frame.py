"""Prints the frames of TestFrameBytes, from the description in format.go and nothing of the program."""
import struct


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def frame(log_id, sequence, durable, payload):
    word = struct.pack("<Q", sequence | durable << 63)
    return struct.pack("<II", len(payload), crc32c(log_id + word + payload)) + word + payload


LOG_ID = bytes(range(16))
print(frame(LOG_ID, 258, 1, b"haechi").hex())
print(frame(LOG_ID, 259, 1, b"").hex())
