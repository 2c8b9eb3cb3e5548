"""Whether transformers reads back what we saved: no missing key, no unexpected one, and every value as it was.

    python tools/check-pretrained.py SAVED SOURCE [SAVED SOURCE ...]

Each SAVED folder is loaded with `from_pretrained` of the class that its config.json names, and compared tensor by tensor
with the folder that we had loaded. SOURCE may use the older spelling `vision_tower.vision_model`. Values that were
saved as bfloat16 or float16 must be those of SOURCE, rounded. Where SOURCE is a model of a golden case (its `golden.safetensors`
lies beside it), the loaded model is also run on the case's inputs, and its logits are compared. Needs torch, transformers and safetensors; not part of
CI, whose machines have none of these. Folders to check come from `node tools/resave.mjs`.
"""

import inspect
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors import safe_open


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder by name; the index of shards must name exactly those that they hold."""
    tensors, found = {}, {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            if file.metadata() != {"format": "pt"}:
                raise SystemExit(f"{path}: metadata {file.metadata()}")
            for name in file.keys():
                if name in tensors:
                    raise SystemExit(f"{path}: {name} is in two files")
                tensors[name] = file.get_tensor(name)
                found[name] = path.name
    index = folder / "model.safetensors.index.json"
    if index.exists():
        content = json.loads(index.read_text())
        size = sum(tensor.nbytes for tensor in tensors.values())
        if content["weight_map"] != found or content["metadata"]["total_size"] != size:
            raise SystemExit(f"{index}: does not say what the shards hold")
    return tensors


def current(name: str) -> str:
    return name.replace("vision_tower.vision_model.", "vision_tower.")


def logits_problem(model: torch.nn.Module, golden: Path, dtypes: set[torch.dtype]) -> str | None:
    """How far the logits of the case are missed; None for cases without logits, and for rounded weights."""
    if not golden.exists() or dtypes != {torch.float32}:
        return None
    with safe_open(golden, "pt") as file:
        names = set(file.keys())
        if "out.logits" not in names:
            return None
        taken = inspect.signature(model.forward).parameters
        given = {name[3:]: file.get_tensor(name) for name in names if name.startswith("in.")}
        expected = file.get_tensor("out.logits")
    integers = {torch.int32, torch.uint8}
    inputs = {k: v.long() if v.dtype in integers else v for k, v in given.items() if k in taken and k != "labels"}
    with torch.no_grad():
        error = (model(**inputs).logits - expected).abs().max().item()
    return None if error < 1e-4 else f"logits differ by {error}"


def check(saved: Path, source: Path) -> list[str]:
    """What is wrong, as lines."""
    [architecture] = json.loads((saved / "config.json").read_text())["architectures"]
    model, info = getattr(transformers, architecture).from_pretrained(
        saved, output_loading_info=True, dtype=torch.float32
    )
    problems = [f"{kind}: {sorted(map(str, keys))}" for kind, keys in info.items() if keys]

    ours = tensors_of(saved)
    theirs = {current(name): tensor for name, tensor in tensors_of(source).items()}
    problems += [f"not saved: {name}" for name in sorted(theirs.keys() - ours.keys())]
    problems += [f"saved besides: {name}" for name in sorted(ours.keys() - theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        mine, expected = ours[name], theirs[name].to(ours[name].dtype)
        if mine.shape != expected.shape or not torch.equal(mine, expected):
            problems.append(f"differs: {name} {tuple(mine.shape)}")
    missed = logits_problem(model.eval(), source.parent / "golden.safetensors", {t.dtype for t in ours.values()})
    problems += [missed] if missed else []
    if not problems:
        dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in ours.values()})
        print(f"ok  {saved}: {architecture}, {len(ours)} tensors ({', '.join(dtypes)})")
    return problems


def main(paths: list[str]) -> int:
    if not paths or len(paths) % 2:
        print(__doc__)
        return 2
    failed = False
    for saved, source in zip(paths[::2], paths[1::2]):
        for problem in check(Path(saved), Path(source)):
            failed = True
            print(f"FAILED  {saved}: {problem}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
