from team import people

fleet = people
