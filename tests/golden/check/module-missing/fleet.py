import teem

fleet = teem.fleet
