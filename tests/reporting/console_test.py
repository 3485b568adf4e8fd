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


def test_several_seeds():
  """Law: mean, ensemble, and how clips were standardised, once each."""
  spread = {'mean': 0.5, 'deviation': 0.1, 'each': [0.4, 0.6]}
  scores = {'n': 0, 'unlabelled': 3}
  results = {
    'seeds': {'test': spread},
    'ensemble': {'members': 2, 'splits': {'test': scores}},
    'standardised': 'transductive',
  }
  assert console.table(results).splitlines()[::2] == [
    'test over 2 seeds: 50.0 +- 10.0 %',
    'split        clips          accuracy %    UAR     F1',
    'standardising: transductive',
  ]
