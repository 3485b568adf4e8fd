"""Linear prediction: Levinson's recursion and line spectral frequencies."""

import numpy as np

from avjax.shapes import Float

Correlation = Float[np.ndarray, 'frames lags']


def _levinson(
  correlation: Correlation,
) -> tuple[Float[np.ndarray, 'frames _'], Float[np.ndarray, 'frames _']]:
  """Returns predictor and reflection coefficients, after Levinson and Durbin.

  Extended precision, since the autocorrelation matrix of a smooth waveform is
  nearly singular.

  Args:
    correlation: r[0] > 0, r[1], ..., r[order].

  Returns:
    (frames, order) a_1, a_2, ... of A(z) = 1 + a_1 / z + a_2 / z^2 + ...,
    and (frames, order) the reflection coefficients: the last coefficient of
    the predictor of each order.
  """
  r = correlation.astype(np.longdouble)
  a = np.zeros_like(r)
  a[:, 0] = 1
  reflections = np.zeros_like(r[:, 1:])
  error = r[:, 0].copy()
  for m in range(1, r.shape[1]):
    ahead = (a[:, :m] * r[:, m:0:-1]).sum(axis=1)
    # A signal that is predicted without error needs no higher order.
    k = np.divide(-ahead, error, out=np.zeros_like(error), where=error > 0)
    a[:, 1 : m + 1] += k[:, None] * a[:, m - 1 :: -1]
    reflections[:, m - 1] = k
    error *= 1 - k**2
  return a[:, 1:].astype(np.float64), reflections.astype(np.float64)


def predictor(
  correlation: Correlation, order: int = 2
) -> Float[np.ndarray, 'frames _']:
  """Returns a_1 and a_2 of the linear predictor; NaN for digital silence."""
  audible = correlation[:, 0] > 0
  coefficients = np.full((len(correlation), order), np.nan)
  coefficients[audible] = _levinson(correlation[audible, : order + 1])[0]
  return coefficients


def line_frequencies(
  correlation: Correlation,
) -> Float[np.ndarray, 'frames 10']:
  """Returns the line spectral frequencies, order 10; NaN for silence.

  They are the angles omega of the roots of A(z) +- z^-11 A(1/z). Both families
  of polynomials obey a recurrence p_(m+1) = 2 x p_m - c_m p_(m-1) in
  x = cos(omega / 2), whose factors c_m follow from the reflection coefficients
  (Delsarte and Genin, 1986). So the x^2 are eigenvalues of a symmetric matrix,
  and all roots stay on the unit circle.

  Returns:
    The frequencies in radians, ascending.
  """
  audible = correlation[:, 0] > 0
  k = _levinson(correlation[audible, :11])[1]
  last = np.pad(k, ((0, 0), (1, 0)))[:, :-1]
  symmetric = (1 - k) * (1 + last)
  symmetric[:, 0] *= 2
  antisymmetric = (1 + k) * (1 - last)
  antisymmetric[:, 0] = 0
  angles = _angles(np.stack([symmetric, antisymmetric], axis=1))
  frequencies = np.full((len(correlation), 10), np.nan)
  frequencies[audible] = np.sort(angles.reshape(-1, 10), axis=1)
  return frequencies


def _angles(
  factors: Float[np.ndarray, 'frames 2 10'],
) -> Float[np.ndarray, 'frames 2 5']:
  """Returns omega of both families, from the factors c_1 ... c_10.

  x is an eigenvalue of the tridiagonal matrix with a zero diagonal and
  sqrt(c_m) / 2 beside it. The square of the matrix separates into odd and even
  rows. The even rows have (c_1 + c_2) / 4, (c_3 + c_4) / 4, ... on the diagonal
  and sqrt(c_2 c_3) / 4, ... beside it.
  """
  # Negative only by rounding, when a reflection coefficient is close to 1.
  factors = np.maximum(factors, 0) / 4
  row = np.arange(5)
  matrix = np.zeros((len(factors), 2, 5, 5))
  matrix[..., row, row] = factors[..., ::2] + factors[..., 1::2]
  # eigvalsh reads only the lower triangle.
  beside = np.sqrt(factors[..., 1:-1:2] * factors[..., 2::2])
  matrix[..., row[1:], row[:-1]] = beside
  squares = np.clip(np.linalg.eigvalsh(matrix), 0, 1)
  return 2 * np.arccos(np.sqrt(squares))
