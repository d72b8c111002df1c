"""ZBar and OpenCV on the same pictures, where they are installed; see src/main.rs for the form.

ZBar is the system's libzbar, asked for bytes; OpenCV is the Python package. Without either of them
this ends at once with status 3.
"""

import ctypes
import sys
import time

# Of zbar.h: the kind of a symbol, and what can be set of it.
QR_CODE, ENABLE, BINARY = 64, 0, 4


def zbar():
    """Returns a function that reads with ZBar, or None."""
    try:
        lib = ctypes.CDLL("libzbar.so.0")
    except OSError:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_uint
    for name, result, arguments in [
        ("zbar_image_scanner_create", pointer, []),
        ("zbar_image_scanner_set_config", ctypes.c_int, [pointer, ctypes.c_int, ctypes.c_int, ctypes.c_int]),
        ("zbar_image_create", pointer, []),
        ("zbar_image_destroy", None, [pointer]),
        ("zbar_image_set_format", None, [pointer, ctypes.c_ulong]),
        ("zbar_image_set_size", None, [pointer, number, number]),
        ("zbar_image_set_data", None, [pointer, ctypes.c_char_p, ctypes.c_ulong, pointer]),
        ("zbar_scan_image", ctypes.c_int, [pointer, pointer]),
        ("zbar_image_first_symbol", pointer, [pointer]),
        ("zbar_symbol_next", pointer, [pointer]),
        ("zbar_symbol_get_data", pointer, [pointer]),
        ("zbar_symbol_get_data_length", number, [pointer]),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    scanner = lib.zbar_image_scanner_create()
    lib.zbar_image_scanner_set_config(scanner, 0, ENABLE, 0)
    lib.zbar_image_scanner_set_config(scanner, QR_CODE, ENABLE, 1)
    lib.zbar_image_scanner_set_config(scanner, QR_CODE, BINARY, 1)

    def read(width, height, luma):
        image = lib.zbar_image_create()
        lib.zbar_image_set_format(image, int.from_bytes(b"Y800", "little"))
        lib.zbar_image_set_size(image, width, height)
        lib.zbar_image_set_data(image, luma, len(luma), None)
        lib.zbar_scan_image(scanner, image)
        found, symbol = [], lib.zbar_image_first_symbol(image)
        while symbol:
            length = lib.zbar_symbol_get_data_length(symbol)
            found.append(ctypes.string_at(lib.zbar_symbol_get_data(symbol), length))
            symbol = lib.zbar_symbol_next(symbol)
        lib.zbar_image_destroy(image)
        return found

    return read


def opencv():
    """Returns a function that reads with OpenCV, or None."""
    try:
        import cv2
        import numpy
    except ImportError:
        return None
    cv2.setNumThreads(1)
    detector = cv2.QRCodeDetectorAruco()

    def read(width, height, luma):
        picture = numpy.frombuffer(luma, numpy.uint8).reshape(height, width)
        text, _, _ = detector.detectAndDecode(picture)
        return [text.encode("utf-8", "surrogateescape")] if text else []

    return read


def pictures(stream):
    """Yields width, height and bytes of one PGM after the other."""
    while True:
        words = []
        while len(words) < 4:
            word = b""
            while True:
                byte = stream.read(1)
                if not byte:
                    return
                if byte.isspace():
                    break
                word += byte
            if word:
                words.append(word)
        width, height = int(words[1]), int(words[2])
        yield width, height, stream.read(width * height)


def main():
    engines = [(name, made) for name, made in [("ZBar", zbar()), ("OpenCV", opencv())] if made]
    if not engines:
        return 3
    files = [open(name, "rb") for name in sys.argv[1:]] or [sys.stdin.buffer]
    for stream in files:
        for width, height, luma in pictures(stream):
            for name, read in engines:
                began = time.thread_time()
                try:
                    found = read(width, height, luma)
                except Exception:  # OpenCV raises on some pictures: not read.
                    found = []
                took = int((time.thread_time() - began) * 1e6)
                print(f"{name}\t{took}\t{','.join(bytes.hex() for bytes in found)}")
            print(".", flush=True)
    return 0


sys.exit(main())
