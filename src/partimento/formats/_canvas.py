"""A small canvas of pixels: rectangles, letters, and the canvas as PNG bytes; numpy and zlib are all it needs."""

from __future__ import annotations

import struct
import unicodedata
import zlib

import numpy as np

GLYPH_WIDTH, GLYPH_HEIGHT = 6, 8  # in dots, the gap to the next letter included
# Five columns a letter from " " to "~", the lowest bit on top, as on a dot-matrix display.
_FONT = bytes.fromhex(
    "0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0008070300 001c224100 0041221c00"
    "2a1c7f1c2a 08083e0808 0080703000 0808080808 0000606000 2010080402 3e5149453e 00427f4000 7249494946 2141494d33"
    "1814127f10 2745454539 3c4a494931 4121110907 3649494936 464949291e 0000140000 0040340000 0008142241 1414141414"
    "0041221408 0201590906 3e415d594e 7c1211127c 7f49494936 3e41414122 7f4141413e 7f49494941 7f09090901 3e41415173"
    "7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f021c027f 7f0408107f 3e4141413e 7f09090906 3e4151215e"
    "7f09192946 2649494932 03017f0103 3f4040403f 1f2040201f 3f4038403f 6314081463 0304780403 6159494d43 007f414141"
    "0204081020 004141417f 0402010204 4040404040 0003070800 2054547840 7f28444438 3844444428 384444287f 3854545418"
    "00087e0902 18a4a49c78 7f08040478 00447d4000 2040403d00 7f10284400 00417f4000 7c04780478 7c08040478 3844444438"
    "fc18242418 18242418fc 7c08040408 4854545424 04043f4424 3c4040207c 1c2040201c 3c4030403c 4428102844 4c9090907c"
    "4464544c44 0008364100 0000770000 0041360800 0201020402"
)
_LETTERS = np.unpackbits(np.frombuffer(_FONT, np.uint8).reshape(-1, 5, 1), axis=2, bitorder="little")  # (95, 5, 8)


def rgb(colour: str) -> np.ndarray:
    """ "#3b6fd4" as (3,) numbers from 0 to 255."""
    return np.frombuffer(bytes.fromhex(colour.lstrip("#")), np.uint8).astype(np.float32)


class Canvas:
    """`width` x `height` pixels of one colour to draw on."""

    def __init__(self, width: int, height: int, colour: str):
        self.pixels = np.empty((height, width, 3), np.uint8)
        self.pixels[:] = rgb(colour)

    def rectangle(self, x: int, y: int, width: int, height: int, colour: str, opacity: float = 1.0, corner: int = 0):
        """Fill a rectangle, what lies outside the canvas left out; `corner` pixels are cut off each corner."""
        for row in range(corner):
            inset = corner - row
            self._fill(x + inset, y + row, width - 2 * inset, 1, colour, opacity)
            self._fill(x + inset, y + height - 1 - row, width - 2 * inset, 1, colour, opacity)
        self._fill(x, y + corner, width, height - 2 * corner, colour, opacity)

    def _fill(self, x: int, y: int, width: int, height: int, colour: str, opacity: float) -> None:
        area = self.pixels[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)]
        area[:] = rgb(colour) if opacity >= 1 else area * (1 - opacity) + rgb(colour) * opacity + 0.5

    def text(self, x: int, y: int, words: str, colour: str, dot: int) -> None:
        """Write `words` with the top left at (x, y), `dot` pixels a dot; accents go, what is not ASCII becomes "?"."""
        plain = "".join(letter for letter in unicodedata.normalize("NFKD", words) if not unicodedata.combining(letter))
        for place, letter in enumerate(plain):
            code = ord(letter if " " <= letter <= "~" else "?") - ord(" ")
            mask = np.kron(_LETTERS[code].T, np.ones((dot, dot), np.uint8)).astype(bool)  # (8 dot, 5 dot)
            left = x + place * GLYPH_WIDTH * dot
            area = self.pixels[max(0, y) : y + mask.shape[0], max(0, left) : left + mask.shape[1]]
            area[mask[: area.shape[0], : area.shape[1]]] = rgb(colour)

    def png(self) -> bytes:
        """The canvas as a PNG file."""
        height, width, _ = self.pixels.shape
        rows = np.concatenate([np.zeros((height, 1), np.uint8), self.pixels.reshape(height, -1)], axis=1)
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a colour, RGB
        body = zlib.compress(rows.tobytes(), 6)
        chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
