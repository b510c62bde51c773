"""Devices: where to compute, how precisely, and how much memory there is."""

import torch

from sfmodel.free_memory import free_memory_bytes

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str = "auto") -> torch.device:
    """Turn a device's name into a device that is really there.

    Parameters
    ----------
    name : str
        ``auto`` (CUDA, else Apple's MPS, else the processor), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises
    ------
    ValueError
        If the name is none of these, or there is no such device here.

    Examples
    --------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdecimal())):
        raise ValueError(f"device {name!r}; expected auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count <= int(number or 0):
            raise ValueError(f"device {name!r}: this machine has {count} CUDA devices that PyTorch can use; take auto")
        return torch.device("cuda", int(number) if number else torch.cuda.current_device())
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device 'mps': PyTorch finds no Apple GPU here; take auto")
    return torch.device(kind)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Turn a precision's name into the dtype for the forward pass; weights are float32 always.

    Parameters
    ----------
    name : str
        ``auto`` (bfloat16 on CUDA devices that have it, float16 on those that don't, else float32), ``float32``,
        ``bfloat16`` or ``float16``.
    device : torch.device

    Raises
    ------
    ValueError
        If the name is none of these, or float16 is asked for where gradients cannot be scaled (not CUDA).

    Examples
    --------
    >>> choose_precision("auto", torch.device("cpu"))
    torch.float32
    """
    if name == "auto":
        if device.type != "cuda":
            return torch.float32
        # Emulated bfloat16 is slower than float16 on the cards that lack it.
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if name not in PRECISIONS:
        raise ValueError(f"precision {name!r}; expected auto, {', '.join(PRECISIONS)}")
    if name == "float16" and device.type != "cuda":
        raise ValueError(
            f"precision float16 on {device.type}: gradients would vanish without scaling, which needs CUDA; "
            "take bfloat16 or float32"
        )
    return PRECISIONS[name]


def available_bytes(device: torch.device) -> int:
    """Memory that is free on a device now; for the processor, what the machine and its control group leave.

    Raises
    ------
    ImportError
        If psutil is not installed.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory_bytes()


def describe_device(device: torch.device) -> str:
    """What a device is, in words.

    Examples
    --------
    >>> describe_device(torch.device("cpu")).startswith("processor with")
    True
    """
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    if device.type == "mps":
        return "Apple GPU (mps)"
    threads = torch.get_num_threads()
    return f"processor with {threads} thread{'s' * (threads > 1)}"
