"""Whether transformers reads back what we saved: no missing key, no unexpected one, and every value as it was.

    python tools/check-pretrained.py SAVED SOURCE [SAVED SOURCE ...]

Each SAVED folder is loaded with `from_pretrained` of the class that its config.json names, and compared tensor by tensor
with the folder that we had loaded. SOURCE may use the older spelling `vision_tower.vision_model`. Values that were
saved as bfloat16 or float16 must be those of SOURCE, rounded. Needs torch, transformers and safetensors; not part of
CI, whose machines have none of these. Folders to check come from `node tools/resave.mjs`.
"""

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


def check(saved: Path, source: Path) -> list[str]:
    """What is wrong, as lines."""
    [architecture] = json.loads((saved / "config.json").read_text())["architectures"]
    _, info = getattr(transformers, architecture).from_pretrained(
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
