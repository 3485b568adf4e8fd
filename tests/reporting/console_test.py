"""The results of a run on the terminal."""

from avjax.reporting import console


def test_a_finding_of_every_fold():
  """Law: what the audit says of every fold is said once."""
  audit = [
    {'status': 'warning', 'text': text, 'fold': fold}
    for fold in range(3)
    for text in ('one', f'fold {fold}')
  ]
  _, *lines = console.table({'splits': {}, 'audit': audit}).splitlines()
  assert lines == [
    f'warning: {k}' for k in ('one', 'fold 0', 'fold 1', 'fold 2')
  ]
