"""Fills in what transformers makes of each template in probes.json: python probes.py (transformers 5.18, jinja2 3.1)."""
import json, pathlib
from datetime import datetime
from transformers.utils import chat_template_utils as utils

KINDS = {"TemplateError": "raised", "UndefinedError": "undefined", "TypeError": "type", "SecurityError": "security",
         "TemplateSyntaxError": "syntax", "TemplateAssertionError": "syntax", "OverflowError": "limit"}


class Clock(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat("2026-03-09T14:05:06")


utils.datetime = Clock
file = pathlib.Path(__file__).parent / "probes.json"
data = json.loads(file.read_text())
for probe in data["probes"]:
    template = probe["template"]
    probe.clear()
    probe["template"] = template
    try:
        texts, marks = utils.render_jinja_template(
            [data["messages"]], chat_template=template, return_assistant_tokens_mask=True, add_generation_prompt=True, bos_token="<s>")
        probe["text"] = texts[0]
        if marks[0]:  # in code points
            probe["generations"] = marks[0]
    except Exception as e:
        kind = KINDS.get(type(e).__name__, "value")
        probe["error"] = {"kind": kind, **({"reason": str(e)} if kind == "raised" else {})}
data["probes"].sort(key=lambda probe: "error" in probe)
lines = ",\n".join(json.dumps(probe, ensure_ascii=True) for probe in data["probes"])
file.write_text(f'{{"messages": {json.dumps(data["messages"])},\n"probes": [\n{lines}\n]}}\n')
