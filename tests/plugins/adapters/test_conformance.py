from __future__ import annotations

from pentad.testing import AdapterConformance


class TestLoRA(AdapterConformance):
    name = "lora"


class TestLoRAOnOneMatrix(AdapterConformance):
    name = "lora"
    options = {"matrices": ("up.*",), "rank": 2, "dropout": 0.5}


class TestFreeze(AdapterConformance):
    name = "freeze"


class TestFreezeAllButGains(AdapterConformance):
    name = "freeze"
    options = {"head": False, "norms": True}
