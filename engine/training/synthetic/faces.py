"""What faces do, as weights of ARKit units. A unit without side stands for both; one with side may be mirrored."""

from __future__ import annotations

Face = dict[str, float]

SPEECH: tuple[Face, ...] = (
    {"jawOpen": 0.42, "mouthLowerDown": 0.15, "mouthUpperUp": 0.08},  # aa
    {"jawOpen": 0.26, "mouthStretch": 0.15, "mouthLowerDown": 0.2, "mouthUpperUp": 0.12},  # e, ae
    {"jawOpen": 0.12, "mouthSmile": 0.25, "mouthStretch": 0.35, "mouthLowerDown": 0.3, "mouthUpperUp": 0.15},  # ee
    {"jawOpen": 0.3, "mouthFunnel": 0.5, "mouthPucker": 0.15},  # oh
    {"jawOpen": 0.14, "mouthPucker": 0.75, "mouthFunnel": 0.2},  # oo
    {"jawOpen": 0.12, "mouthPucker": 0.9},  # w
    {"jawOpen": 0.1, "mouthClose": 0.04, "mouthRollLower": 0.55, "mouthUpperUp": 0.3},  # f, v
    {"mouthPress": 0.35, "mouthRollLower": 0.25, "mouthRollUpper": 0.2},  # m
    {"jawOpen": 0.08, "mouthClose": 0.08, "mouthPress": 0.25, "mouthRollLower": 0.15, "cheekPuff": 0.06},  # b, p
    {"jawOpen": 0.15, "mouthClose": 0.15},  # between two sounds, lips together over open teeth
    {"jawOpen": 0.15, "tongueOut": 0.22, "mouthLowerDown": 0.2, "mouthUpperUp": 0.15},  # th
    {"jawOpen": 0.1, "mouthFunnel": 0.65, "mouthLowerDown": 0.25, "mouthUpperUp": 0.25},  # ch, sh
    {"jawOpen": 0.07, "mouthStretch": 0.3, "mouthLowerDown": 0.35, "mouthUpperUp": 0.25, "mouthSmile": 0.1},  # s, z
    {"jawOpen": 0.16, "mouthLowerDown": 0.25, "mouthUpperUp": 0.12},  # d, t, n
    {"jawOpen": 0.2, "mouthStretch": 0.1, "mouthUpperUp": 0.1},  # k, g
    {"jawOpen": 0.2, "mouthFunnel": 0.3, "mouthPucker": 0.25, "mouthLowerDown": 0.1},  # r
    {"jawOpen": 0.05, "mouthLowerDown": 0.1},  # lips just apart
)

SMILES: tuple[Face, ...] = (
    {"mouthSmile": 0.6, "cheekSquint": 0.15},  # closed
    {"mouthSmile": 0.75, "mouthPress": 0.3, "mouthDimple": 0.4},  # closed and pressed
    {"mouthSmile": 0.85, "cheekSquint": 0.7, "eyeSquint": 0.45, "eyeBlink": 0.1, "mouthDimple": 0.2},  # from the heart
    {"mouthSmile": 0.9, "jawOpen": 0.08, "mouthUpperUp": 0.4, "mouthLowerDown": 0.2, "cheekSquint": 0.5,
     "eyeSquint": 0.25},  # with teeth
    {"mouthSmile": 0.95, "jawOpen": 0.28, "mouthUpperUp": 0.45, "mouthLowerDown": 0.3, "cheekSquint": 0.7,
     "eyeSquint": 0.45, "browOuterUp": 0.15},  # laughing
    {"mouthSmile": 0.7, "mouthStretch": 0.35, "mouthUpperUp": 0.5, "mouthLowerDown": 0.45, "jawOpen": 0.03},  # posed
    {"mouthSmileLeft": 0.75, "mouthSmileRight": 0.08, "mouthDimpleLeft": 0.45, "cheekSquintLeft": 0.35,
     "mouthLeft": 0.15},  # smirk
    {"mouthSmileLeft": 0.5, "mouthUpperUpLeft": 0.45, "noseSneerLeft": 0.3, "browDown": 0.15},  # contempt
    {"mouthSmile": 0.45, "browInnerUp": 0.4, "mouthPress": 0.3},  # rueful
    {"mouthSmile": 0.5, "mouthFrown": 0.25, "mouthShrugLower": 0.4, "browOuterUp": 0.3},  # approving
)  # fmt: skip

MOODS: tuple[Face, ...] = (
    {"jawOpen": 0.4, "browInnerUp": 0.7, "browOuterUp": 0.7, "eyeWide": 0.7},  # surprise
    {"browInnerUp": 0.6, "browOuterUp": 0.6, "eyeWide": 0.35},  # interest
    {"browDown": 0.9, "eyeSquint": 0.35, "eyeWide": 0.15, "mouthPress": 0.6, "noseSneer": 0.25},  # anger, held in
    {"browDown": 0.9, "eyeSquint": 0.4, "noseSneer": 0.6, "jawOpen": 0.35, "mouthUpperUp": 0.5, "mouthLowerDown": 0.5,
     "mouthStretch": 0.4},  # anger, shouted
    {"noseSneer": 0.9, "mouthUpperUp": 0.6, "browDown": 0.5, "eyeSquint": 0.4, "mouthFrown": 0.3,
     "mouthShrugLower": 0.3},  # disgust
    {"browInnerUp": 0.85, "browDown": 0.2, "mouthFrown": 0.7, "mouthShrugLower": 0.4, "eyeBlink": 0.15,
     "eyeLookDown": 0.2},  # sadness
    {"browInnerUp": 0.9, "browOuterUp": 0.4, "eyeWide": 0.8, "mouthStretch": 0.7, "jawOpen": 0.2,
     "mouthLowerDown": 0.3},  # fear
    {"browDown": 0.8, "cheekSquint": 0.8, "eyeSquint": 0.8, "eyeBlink": 0.45, "noseSneer": 0.6, "mouthUpperUp": 0.55,
     "mouthStretch": 0.6, "mouthLowerDown": 0.3, "jawOpen": 0.1},  # pain
    {"browDown": 0.6, "eyeSquint": 0.5, "mouthPress": 0.2},  # concentration, or sun in the eyes
    {"browDownLeft": 0.5, "browOuterUpRight": 0.8, "eyeSquintLeft": 0.2, "eyeWideRight": 0.2},  # doubt
    {"mouthPucker": 0.9, "mouthFunnel": 0.1},  # kiss
    {"cheekPuff": 0.9, "mouthPucker": 0.2, "mouthPress": 0.25},  # cheeks full
    {"mouthLeft": 0.8, "mouthPucker": 0.3},
    {"mouthPress": 0.8, "mouthRollLower": 0.5, "mouthRollUpper": 0.5},  # lips in
    {"mouthShrugLower": 0.8, "mouthShrugUpper": 0.4, "mouthFrown": 0.5, "browInnerUp": 0.3},  # shrug, pout
    {"mouthFrown": 0.6, "browDown": 0.3},
    {"eyeBlink": 0.45, "jawOpen": 0.04, "browOuterUp": 0.1},  # tired
    {"mouthRollLower": 0.7, "jawOpen": 0.06, "mouthUpperUp": 0.2},  # biting the lip
)  # fmt: skip

EXTREMES: tuple[Face, ...] = (
    {"jawOpen": 0.95, "eyeSquint": 0.5, "eyeBlink": 0.75, "browDown": 0.3, "mouthLowerDown": 0.3},  # yawn
    {"jawOpen": 0.9, "browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 1.0},
    {"jawOpen": 0.8, "mouthStretch": 0.8, "mouthUpperUp": 0.8, "mouthLowerDown": 0.8, "browDown": 0.9, "noseSneer": 0.9,
     "eyeSquint": 0.7},  # scream
    {"jawOpen": 0.55, "mouthSmile": 1.0, "cheekSquint": 0.9, "eyeSquint": 0.6, "eyeBlink": 0.35,
     "mouthUpperUp": 0.5},  # roaring with laughter
    {"tongueOut": 0.95, "jawOpen": 0.35},
    {"tongueOut": 0.9, "jawOpen": 0.5, "eyeBlink": 0.6, "noseSneer": 0.6, "browDown": 0.6},
    {"mouthPucker": 1.0, "eyeBlink": 1.0, "browInnerUp": 0.4},
    {"cheekPuff": 1.0, "eyeWide": 0.6, "browOuterUp": 0.6},
    {"mouthLeft": 0.9, "jawLeft": 0.7, "eyeSquintLeft": 0.6, "browDownLeft": 0.7, "browOuterUpRight": 0.8},
    {"jawRight": 0.8, "jawOpen": 0.3, "mouthRight": 0.5},
    {"jawForward": 0.9, "browDown": 0.6, "mouthShrugLower": 0.5, "mouthFrown": 0.4},
    {"mouthFunnel": 1.0, "jawOpen": 0.45, "browInnerUp": 0.7, "browOuterUp": 0.6, "eyeWide": 0.5},
    {"eyeBlink": 1.0, "eyeSquint": 0.9, "cheekSquint": 0.9, "browDown": 0.9, "noseSneer": 0.7, "mouthFrown": 0.6,
     "mouthShrugLower": 0.8},  # screwed up
)  # fmt: skip
