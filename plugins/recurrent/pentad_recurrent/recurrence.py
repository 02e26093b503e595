"""A matrix as memory, read and written token by token, computed chunk by chunk.

Each head keeps S (K, V) and does, for a key k, a value v, a query q, a decay a in (0, 1] and, with the delta rule, a share b:

    S <- a S + k v^T                          linear attention (Katharopoulos et al., 2020), with decay (Sun et al., 2023)
    S <- a S + b k (v - a S^T k)^T            the gated delta rule (Yang et al., 2024): only what S did not know is written
    o = S^T q

Within a chunk both are triangular products. With c the product of the decays up to a token and S the memory before the
chunk, the delta rule writes u = b (v - c S^T k - the sum over earlier tokens j of c / c_j (k . k_j) u_j), which is a triangular
system; then o and the next S are those of linear attention with u in place of v. So a row costs T / C steps, one after the
other, and the same function does a single token.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def recur(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    decay: Tensor,
    write: Tensor | None,
    opens: Tensor | None,
    memory: Tensor,
    chunk: int,
) -> tuple[Tensor, Tensor]:
    """Return what each token reads, and the memory after the last.

    Args:
        queries, keys: (B, T, H, K), float32.
        values: (B, T, H, V).
        decay: (B, T, H), the logarithm of a, at most 0.
        write: (B, T, H), b of the delta rule; None to add without it.
        opens: (B, T), where a document begins and the memory is empty; None for nowhere.
        memory: (B, H, K, V), before the first token.
        chunk: C, tokens at once.

    Returns:
        (B, T, H, V) and (B, H, K, V).
    """
    with torch.autocast(queries.device.type, enabled=False):  # sums over a whole text, and a system to solve
        return _recur(queries, keys, values, decay, write, opens, memory, chunk)


def _recur(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    decay: Tensor,
    write: Tensor | None,
    opens: Tensor | None,
    memory: Tensor,
    chunk: int,
) -> tuple[Tensor, Tensor]:
    length = queries.shape[1]
    chunk = min(chunk, length)
    q, k, v = (_chunked(x, chunk) for x in (queries, keys, values))  # (B, H, N, C, .), padded by zeros, which write nothing
    rate = _chunked(decay[..., None], chunk).cumsum(-2)  # (B, H, N, C, 1), log c
    fade = rate - rate.mT  # (B, H, N, C, C), log c_i / c_j
    seen = torch.ones(chunk, chunk, dtype=torch.bool, device=q.device).tril()
    carried, kept = rate.exp(), (rate[..., -1:, :] - rate).exp()  # from the memory to a token, from a token to the next memory
    if opens is not None:
        document = _chunked(opens[..., None, None].to(q.dtype), chunk).cumsum(-2)  # (B, 1, N, C, 1)
        seen = seen & (document == document.mT)
        carried, kept = carried * (document == 0), kept * (document == document[..., -1:, :])
    fade = fade.masked_fill(~seen, float("-inf")).exp()
    mixed = (q @ k.mT) * fade  # (B, H, N, C, C)
    known: Tensor | None = None
    if write is not None:
        share = _chunked(write[..., None], chunk)  # (B, H, N, C, 1)
        among = share * (k @ k.mT) * fade.tril(-1)
        wanted = torch.cat([share * v, share * carried * k], dim=-1)
        solved = torch.linalg.solve_triangular(among, wanted, upper=False, unitriangular=True)
        v, known = solved.split([v.shape[-1], k.shape[-1]], dim=-1)
    reads, out = q * carried, []
    writes, left = (k * kept).mT, carried[..., -1:, :]  # (B, H, N, K, C), (B, H, N, 1, 1)
    for n in range(q.shape[2]):
        new = v[:, :, n] if known is None else v[:, :, n] - known[:, :, n] @ memory  # (B, H, C, V)
        out.append(mixed[:, :, n] @ new + reads[:, :, n] @ memory)
        memory = left[:, :, n] * memory + writes[:, :, n] @ new
    return torch.cat(out, dim=2)[:, :, :length].transpose(1, 2), memory


def _chunked(x: Tensor, chunk: int) -> Tensor:
    """Return x (B, T, H, D) as (B, H, N, C, D), with zeros behind its end."""
    x = F.pad(x, (0, 0, 0, 0, 0, -x.shape[1] % chunk))
    chunks: Tensor = x.unflatten(1, (-1, chunk))
    return chunks.movedim(3, 1)
