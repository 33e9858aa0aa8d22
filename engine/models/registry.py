"""The model files the engine knows: what each is for, whose it is, and whether it is there. Imports nothing heavy.

Sizes are those of the published files as far as they are known, hashes stand only where the owner publishes them or
where everybody who recorded the file has the same. A file that nothing uses yet has no `used_by`.
"""

from __future__ import annotations

from pathlib import Path

from .bundled import BUNDLED as BUNDLED
from .bundled import FACE_RECOGNITION as FACE_RECOGNITION
from .bundled import OPEN_HEAD as OPEN_HEAD
from .bundled import PARTS_NETWORK as PARTS_NETWORK
from .bundled import POINTS_NETWORK as POINTS_NETWORK
from .bundled import REGRESSOR as REGRESSOR
from .bundled import TEXTURE_BASIS as TEXTURE_BASIS
from .bundled import TEXTURE_GENERATOR as TEXTURE_GENERATOR
from .model_file import REINSTALL as REINSTALL
from .model_file import ModelFile

HEADS, REGRESSORS, IDENTITY, TEXTURES, DEPTH, DETECTOR = (
    "Heads", "Regressors", "Identity", "Textures", "Depth", "Detector",
)  # fmt: skip
BUILT_IN = "Built In"
GROUPS = (HEADS, REGRESSORS, IDENTITY, TEXTURES, DEPTH, DETECTOR, BUILT_IN)
"""In the order of the panel."""
FLAME_PAGE = "https://flame.is.tue.mpg.de"
FLAME_LICENCE = "FLAME's own, research only"
PROGRAMS = "programs that build on the engine"
FLAME_USE = "the head model FLAME"


def _flame(key: str, variant: str, title: str, purpose: str, stem: str, licence: str = FLAME_LICENCE) -> ModelFile:
    """One version of FLAME. All have the same arrays: 53 MB in double precision."""
    return ModelFile(
        title=title,
        purpose=purpose,
        licence=licence,
        source=FLAME_PAGE,
        files=(f"{stem}.safetensors", f"{stem}.pkl", f"{stem}.npz"),
        key=key,
        group=HEADS,
        kinds=("flame",),
        variant=variant,
        used_by=FLAME_USE,
        size=53_000_000,
    )


FLAME_2023_OPEN = _flame(
    "flame_2023_open",
    "2023_open",
    "FLAME 2023 Open",
    "Head made from scans, by its owner for all uses with attribution",
    "flame2023_Open",
    "CC-BY-4.0",
)
FLAME_2023 = _flame("flame_2023", "2023", "FLAME 2023", "Head made from scans, with better eye regions", "flame2023")
FLAME_2023_NO_JAW = _flame(
    "flame_2023_no_jaw",
    "2023_no_jaw",
    "FLAME 2023, No Jaw",
    "The same, whose expressions leave the jaw's rotation out",
    "flame2023_no_jaw",
)
FLAME_2020 = _flame(
    "flame_2020",
    "2020",
    "FLAME 2020",
    "Head made from scans: the one that SMIRK and DECA speak of",
    "generic_model",
)
FLAME_VERSIONS = (FLAME_2023_OPEN, FLAME_2023, FLAME_2023_NO_JAW, FLAME_2020)
"""Whole FLAME models, in the order in which one is picked when several are there."""
FLAME_LANDMARKS = ModelFile(
    title="FLAME's Landmarks",
    purpose="Where the 68 landmarks and the jaw line lie on FLAME; beside FLAME's file",
    licence=FLAME_LICENCE,
    source="https://github.com/yfeng95/DECA",
    files=("landmark_embedding.npy",),
    key="flame_landmarks",
    group=HEADS,
    kinds=("flame_landmarks",),
    used_by=FLAME_USE,
    size=31_000,
)
FLAME_MEDIAPIPE = ModelFile(
    title="FLAME's MediaPipe Points",
    purpose="Where 105 of MediaPipe's points lie on FLAME; beside FLAME's file",
    licence=FLAME_LICENCE,
    source=FLAME_PAGE,
    files=("mediapipe_landmark_embedding.npz",),
    key="flame_mediapipe",
    group=HEADS,
    kinds=("flame_mediapipe",),
    used_by=FLAME_USE,
    size=5_000,
)
FLAME_MASKS = ModelFile(
    title="FLAME's Regions",
    purpose="Which vertices of FLAME are face, lips, ears, scalp; beside FLAME's file",
    licence=FLAME_LICENCE,
    source=FLAME_PAGE,
    files=("FLAME_masks.pkl",),
    key="flame_masks",
    group=HEADS,
    kinds=("flame_masks",),
    used_by=FLAME_USE,
)
FLAME_TEMPLATE = ModelFile(
    title="FLAME's Texture Layout",
    purpose="How FLAME is unwrapped for textures; beside FLAME's file",
    licence=FLAME_LICENCE,
    source="https://github.com/yfeng95/DECA",
    files=("head_template.obj",),
    key="flame_template",
    group=HEADS,
    kinds=("flame_template",),
    used_by=FLAME_USE,
)


def _eyelid(side: str) -> ModelFile:
    return ModelFile(
        title=f"FLAME's {side.capitalize()} Lid",
        purpose=f"Closes the {side} eye, as SMIRK does; beside FLAME's file",
        licence="of SMIRK's repository, MIT",
        source="https://github.com/georgeretsi/smirk",
        files=(f"{side[0]}_eyelid.npy",),
        key=f"flame_eyelid_{side}",
        group=HEADS,
        kinds=("eyelid",),
        variant=side,
        used_by=FLAME_USE,
        size=120_672,
    )


FLAME_EYELID_LEFT, FLAME_EYELID_RIGHT = _eyelid("left"), _eyelid("right")
ICT_FACEKIT = ModelFile(
    title="ICT-FaceKit",
    purpose="Head made from scans, with expressions by ARKit's names; a folder",
    licence="MIT",
    source="https://github.com/ICT-VGL/ICT-FaceKit",
    files=("FaceXModel", "ICT-FaceKit"),
    key="ict_facekit",
    group=HEADS,
    kinds=("ict_facekit",),
    used_by="the head model ICT-FaceKit",
    folder=True,
)
SMIRK = ModelFile(
    title="SMIRK",
    purpose="Reads FLAME's shape and expression off a picture, good with expressions",
    licence="MIT for code, weights for research only",
    source="https://github.com/georgeretsi/smirk",
    files=("SMIRK_em1.safetensors", "SMIRK_em1.pt"),
    key="smirk",
    group=REGRESSORS,
    kinds=("smirk",),
    used_by="the start SMIRK, together with FLAME",
    size=140_000_000,
)
DECA = ModelFile(
    title="DECA",
    purpose="Reads FLAME's shape, expression, light and wrinkles off a picture",
    licence="DECA's own, research only",
    source="https://deca.is.tue.mpg.de",
    files=("deca_model.safetensors", "deca_model.tar"),
    key="deca",
    group=REGRESSORS,
    kinds=("deca",),
    used_by="the detail DECA, on FLAME with its texture layout",
    size=434_000_000,
)
DEEP3D = ModelFile(
    title="Deep3D",
    purpose="Reads the Basel face's shape, colours and light off a picture",
    licence="MIT for code, weights for research only",
    source="https://github.com/sicxu/Deep3DFaceRecon_pytorch",
    files=("epoch_20.safetensors", "epoch_20.pth", "net_recon.pth"),
    key="deep3d",
    group=REGRESSORS,
    kinds=("deep3d",),
    used_by=PROGRAMS,
    size=289_000_000,
)
ARCFACE = ModelFile(
    title="ArcFace",
    purpose="Judges likeness more finely than the bundled network",
    licence="MIT for code, weights for research only",
    source="https://github.com/deepinsight/insightface/tree/master/recognition/arcface_torch",
    files=(
        "arcface_r100.safetensors",
        "arcface_r100.pth",
        "arcface_r50.safetensors",
        "arcface_r50.pth",
        "backbone.pth",
    ),
    key="arcface",
    group=IDENTITY,
    kinds=("arcface",),
    used_by="the textures GANFit and Linear, instead of the bundled network",
    size=261_000_000,
)
FFHQ_UV_TEXTURE = ModelFile(
    title="FFHQ-UV Texture Generator",
    purpose="Skin by a large generator, for the texture “GANFit”",
    licence="FFHQ-UV's own, non-commercial",
    source="https://github.com/csbhr/FFHQ-UV",
    files=("texgan_ffhq_uv.pth", "texgan_ffhq_uv.safetensors"),
    key="ffhq_uv",
    group=TEXTURES,
    kinds=("stylegan2_weights",),
    used_by="the texture GANFit, instead of the bundled generator",
    size=121_000_000,
)
FFHQ_UV_STATISTICS = ModelFile(
    title="FFHQ-UV Statistics",
    purpose="What is usual of that generator's skins; beside it, measured where missing",
    licence="FFHQ-UV's own, non-commercial",
    source="https://github.com/csbhr/FFHQ-UV",
    files=("texgan_ffhq_uv.pt",),
    key="ffhq_uv_statistics",
    group=TEXTURES,
    kinds=("w_statistics",),
    used_by="the FFHQ-UV Texture Generator, beside which it must lie",
    size=5_000,
)
FLAME_TEXTURE = ModelFile(
    title="FLAME's Skins",
    purpose="Skin colours of real people in FLAME's layout",
    licence="CC-BY-NC-SA-4.0",
    source=FLAME_PAGE,
    files=("FLAME_texture.npz",),
    key="flame_texture",
    group=TEXTURES,
    kinds=("flame_texture",),
    used_by="the texture Linear, on FLAME with its texture layout",
)
FLAME_ALBEDO = ModelFile(
    title="Basel Skins for FLAME",
    purpose="The Basel face's skin colours, converted to FLAME's layout",
    licence="the Basel Face Model's own, research only",
    source="https://github.com/TimoBolkart/BFM_to_FLAME",
    files=("FLAME_albedo_from_BFM.npz",),
    key="flame_albedo",
    group=TEXTURES,
    kinds=("flame_albedo",),
    used_by="the texture Linear, on FLAME with its texture layout",
)
STYLEGAN2 = ModelFile(
    title="StyleGAN2-ADA",
    purpose="A generator of faces or textures, as its training code saves it",
    licence="NVIDIA's own, non-commercial, for NVIDIA's files",
    source="https://github.com/NVlabs/stylegan2-ada-pytorch",
    files=("stylegan2.pkl", "ffhq.pkl"),
    key="stylegan2",
    group=TEXTURES,
    kinds=("stylegan2_pickle", "stylegan2_rosinality"),
)
EG3D = ModelFile(
    title="EG3D",
    purpose="A generator of whole heads with hair, seen from all sides",
    licence="NVIDIA's own, non-commercial",
    source="https://github.com/NVlabs/eg3d",
    files=("ffhqrebalanced512-128.safetensors", "ffhqrebalanced512-128.pkl", "ffhq512-128.pkl"),
    key="eg3d",
    group=TEXTURES,
    kinds=("eg3d",),
    used_by="depth meshes by EG3D",
)
EG3D_LATENTS = ModelFile(
    title="EG3D Regressor",
    purpose="Guesses EG3D's latent from a photo: a depth mesh at once, or a start for the inversion",
    licence="that of the generator it was trained with",
    source="",
    files=("eg3d_latents.safetensors",),
    key="eg3d_latents",
    group=TEXTURES,
    kinds=("eg3d_latents",),
    used_by="depth meshes by EG3D",
)
VGG16 = ModelFile(
    title="VGG16",
    purpose="Judges how alike two pictures look, as LPIPS does; else the bundled recognition network does",
    licence="BSD-3-Clause",
    source="https://pytorch.org/vision/stable/models/vgg.html",
    files=("vgg16-397923af.pth", "vgg16-397923af.safetensors"),
    sha256="397923af",  # the beginning, by the rule for names of PyTorch's hub
    key="vgg16",
    group=TEXTURES,
    kinds=("vgg16",),
    used_by="inversions of EG3D",
    size=553_000_000,
)
LPIPS = ModelFile(
    title="LPIPS",
    purpose="How much each of VGG16's channels counts; beside VGG16",
    licence="BSD-2-Clause",
    source="https://github.com/richzhang/PerceptualSimilarity",
    files=("lpips_vgg.pth", "lpips_vgg.safetensors"),
    key="lpips",
    group=TEXTURES,
    kinds=("lpips",),
    used_by="VGG16, beside which it lies",
    size=7_300,
)
PARTS_OWN = ModelFile(
    title="Parts Network",
    purpose="Your own training of the network that sees skin, hair and depth",
    licence="your own",
    source="",
    files=("likeness_parts.safetensors",),
    key="parts",
    group=DEPTH,
    kinds=("parts",),
    used_by="every photo, in place of the bundled network",
)
DPT_LARGE = ModelFile(
    title="DPT-Large",
    purpose="Sees how deep everything in a photo lies",
    licence="MIT",
    source="https://github.com/isl-org/DPT",
    files=("dpt_large-midas-2f21e586.safetensors", "dpt_large-midas-2f21e586.pt", "dpt_large_384.pt"),
    sha256="2f21e586",  # the beginning, by the rule for names of PyTorch's hub
    key="dpt_large",
    group=DEPTH,
    kinds=("dpt_large",),
    used_by="depth meshes, instead of the bundled network",
    size=1_376_000_000,
    download="https://github.com/isl-org/DPT/releases/download/1_0/dpt_large-midas-2f21e586.pt",
)
FACE_LANDMARKER = ModelFile(
    title="Face Landmarker",
    purpose="Finds the face; needed where the engine has MediaPipe 1.0 or newer",
    licence="Apache-2.0",
    source="https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker",
    files=("face_landmarker.task",),
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    key="face_landmarker",
    group=DETECTOR,
    kinds=("face_landmarker",),
    used_by="every reconstruction, instead of the bundled networks",
    size=3_758_596,
    download="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
    "face_landmarker.task",
)
USERS = (
    *FLAME_VERSIONS,
    FLAME_LANDMARKS,
    FLAME_MEDIAPIPE,
    FLAME_MASKS,
    FLAME_TEMPLATE,
    FLAME_EYELID_LEFT,
    FLAME_EYELID_RIGHT,
    ICT_FACEKIT,
    SMIRK,
    DECA,
    DEEP3D,
    ARCFACE,
    FFHQ_UV_TEXTURE,
    FFHQ_UV_STATISTICS,
    FLAME_TEXTURE,
    FLAME_ALBEDO,
    STYLEGAN2,
    EG3D,
    EG3D_LATENTS,
    VGG16,
    LPIPS,
    DPT_LARGE,
    PARTS_OWN,
    FACE_LANDMARKER,
)
"""Those that users bring."""
MODELS = (*USERS, *BUNDLED)


def flame_file(model_folder: Path | None) -> Path | None:
    """The user's FLAME model: the first of `FLAME_VERSIONS` that is there; None where none is."""
    return next((path for model in FLAME_VERSIONS if (path := model.find(model_folder))), None)


def by_key(key: str) -> ModelFile:
    """A model that users bring.

    Raises:
        KeyError: there is none of that key.
    """
    return {model.key: model for model in USERS}[key]
