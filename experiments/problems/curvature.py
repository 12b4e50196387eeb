"""The largest curvature of a loss, by Lanczos' method, from products with its Hessian."""

from collections.abc import Callable

import numpy as np


def largest_eigenvalue(
    product: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], products: int
) -> float:
    """Return the largest eigenvalue of a symmetric matrix, from some products with it.

    Args:
        product: Returns the matrix times a vector; both have the shape of a variable.
        shape: That shape.
        products: Number of products, the dimension of the Krylov space.

    Example:
        >>> from tfadaopt.experiments.problems.curvature import largest_eigenvalue
        >>> matrix = np.diag([3.0, -5.0, 1.0])
        >>> round(largest_eigenvalue(lambda v: matrix @ v, (3,), 3), 9)
        3.0

    Source:
        C. Lanczos, "An iteration method for the solution of the eigenvalue problem", J. Res. Nat.
        Bur. Standards 45 (1950); G. Golub and C. Van Loan, Matrix Computations, 10.1, with
        reorthogonalization.
    """
    size = int(np.prod(shape))
    v = np.random.default_rng(0).standard_normal(size)
    basis = [v / np.linalg.norm(v)]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(products, size)):
        w = np.asarray(product(basis[-1].reshape(shape)), "float64").ravel()
        diagonal.append(float(w @ basis[-1]))
        known = np.array(basis)
        for _ in range(2):
            w -= known.T @ (known @ w)
        length = float(np.linalg.norm(w))
        if length <= 1e-12 * abs(diagonal[0]) or not np.isfinite(length):
            break
        beside.append(length)
        basis.append(w / length)
    if not np.all(np.isfinite(diagonal)):
        return float("nan")
    count = len(diagonal)
    off = np.diag(beside[: count - 1], 1)
    return float(np.linalg.eigvalsh(np.diag(diagonal) + off + off.T)[-1])
