"""Which of MediaPipe's 478 face points is what, and which is whose mirror image.

Left and right are the person's own. Loops run round their outline, seen in the picture. Points 468..477 are the irises.
Source: MediaPipe 0.10.21 `face_mesh_connections` (Apache-2.0); the mirror pairs were found by matching the mean of 400
detections with its mirror image, and agree with those connections.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POINTS = 478
MESH_POINTS = 468  # without irises

_PAIRS = (
    "3-248 7-249 20-250 21-251 22-252 23-253 24-254 25-255 26-256 27-257 28-258 29-259 30-260 31-261 32-262 33-263 "
    "34-264 35-265 36-266 37-267 38-268 39-269 40-270 41-271 42-272 43-273 44-274 45-275 46-276 47-277 48-278 "
    "49-279 50-280 51-281 52-282 53-283 54-284 55-285 56-286 57-287 58-288 59-289 60-290 61-291 62-292 63-293 "
    "64-294 65-295 66-296 67-297 68-298 69-299 70-300 71-301 72-302 73-303 74-304 75-305 76-306 77-307 78-308 "
    "79-309 80-310 81-311 82-312 83-313 84-314 85-315 86-316 87-317 88-318 89-319 90-320 91-321 92-322 93-323 "
    "95-324 96-325 97-326 98-327 99-328 100-329 101-330 102-331 103-332 104-333 105-334 106-335 107-336 108-337 "
    "109-338 110-339 111-340 112-341 113-342 114-343 115-344 116-345 117-346 118-347 119-348 120-349 121-350 "
    "122-351 123-352 124-353 125-354 126-355 127-356 128-357 129-358 130-359 131-360 132-361 133-362 134-363 "
    "135-364 136-365 137-366 138-367 139-368 140-369 141-370 142-371 143-372 144-373 145-374 146-375 147-376 "
    "148-377 149-378 150-379 153-380 154-381 155-382 156-383 157-384 158-385 159-386 160-387 161-388 162-389 "
    "163-390 165-391 166-392 167-393 169-394 170-395 171-396 172-397 173-398 174-399 176-400 177-401 178-402 "
    "179-403 180-404 181-405 182-406 183-407 184-408 185-409 186-410 187-411 188-412 189-413 190-414 191-415 "
    "192-416 193-417 194-418 196-419 198-420 201-421 202-422 203-423 204-424 205-425 206-426 207-427 208-428 "
    "209-429 210-430 211-431 212-432 213-433 214-434 215-435 216-436 217-437 218-438 219-439 220-440 221-441 "
    "222-442 223-443 224-444 225-445 226-446 227-447 228-448 229-449 230-450 231-451 232-452 233-453 234-454 "
    "235-455 236-456 237-457 238-458 239-459 240-460 241-461 242-462 243-463 244-464 245-465 246-466 247-467 "
    "468-473 469-476 470-475 471-474 472-477 "
)  # right-left


def _mirror() -> NDArray[np.intp]:
    permutation = np.arange(POINTS)
    for pair in _PAIRS.split():
        right, left = (int(number) for number in pair.split("-"))
        permutation[[right, left]] = left, right
    return permutation


MIRROR: NDArray[np.intp] = _mirror()
"""(478,) the point on the other side; its own inverse."""


def mirrored(loop: tuple[int, ...]) -> tuple[int, ...]:
    """The same points of the other side, in the same order."""
    return tuple(int(MIRROR[index]) for index in loop)


RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = mirrored(RIGHT_EYE)
RIGHT_IRIS_CENTRE, LEFT_IRIS_CENTRE = 468, 473
RIGHT_IRIS = (469, 470, 471, 472)
LEFT_IRIS = (474, 475, 476, 477)
RIGHT_BROW_UPPER, RIGHT_BROW_LOWER = (70, 63, 105, 66, 107), (46, 53, 52, 65, 55)  # outer end first
LEFT_BROW_UPPER, LEFT_BROW_LOWER = mirrored(RIGHT_BROW_UPPER), mirrored(RIGHT_BROW_LOWER)
RIGHT_BROW = RIGHT_BROW_UPPER + RIGHT_BROW_LOWER[::-1]
LEFT_BROW = LEFT_BROW_UPPER + LEFT_BROW_LOWER[::-1]
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 97, 326, 327, 294, 278, 344, 440, 275, 45, 220, 115, 48, 64)
# fmt: off
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
# fmt: on
EYE_CORNERS = (33, 133, 362, 263)  # right outer, right inner, left inner, left outer
NOSE_TIP, CHIN, FOREHEAD = 1, 152, 10
RIGHT_CHEEKS = (50, 101, 118, 117, 123, 147, 187, 205, 36, 207)
LEFT_CHEEKS = mirrored(RIGHT_CHEEKS)
