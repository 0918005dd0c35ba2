"""Which job that waits goes to which backend, and when its turn will come. Pure.

Jobs are taken in the order of `ordering`, and each is given the backend where it is predicted to be finished first:
when the backend has done what it has, plus loading the model where another one is resident, plus the run. So one list
of placements answers both questions: what of it begins now is started (`decide`), and all of it is the forecast
(`foresee`).

* A job may wait for a busy backend while a slower one is idle, if by what was *measured* it is finished clearly earlier
  so; but not for longer than the idle one would have needed. That one goes to whoever is next.
* Where a backend would have to load another model for the job whose turn it is, one of the next LOOK_AHEAD may overtake
  it that needs the resident model. It must be of the same class, and nobody overtakes a job that somebody moved. One of
  the same owner may do so if it was submitted within SAME_TIME_S; one of another owner as long as it will be done
  within PATIENCE_S of when the turn of the overtaken one had come, or BATCH_PATIENCE_S in the midst of a batch.
* A second slot is there so that a backend need not wait for us: it is filled when what runs is predicted to end
  within PREFETCH_S, and stays empty while that is unknown.
* When all have been considered and backends are left idle, a job that begins now is split over them if that makes it
  finish clearly earlier.
"""

from imagegen_server.scheduling.decisions import book, decide, foresee, foreseeing, next_look
from imagegen_server.scheduling.situation import Candidate, Decision, Place, Situation, WaitingJob, WaitReason

__all__ = [
    "Candidate",
    "Decision",
    "Place",
    "Situation",
    "WaitReason",
    "WaitingJob",
    "book",
    "decide",
    "foresee",
    "foreseeing",
    "next_look",
]
